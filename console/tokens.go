package console

import (
	"net/http"
	"strings"

	"popelago/adminclient"
)

func (c *console) addTokens(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"tokens", c.page(func(r *request) error { return c.showTokens(r, nil) }))
	mux.HandleFunc("POST "+Root+"tokens", c.page(c.addToken))
	mux.HandleFunc("POST "+Root+"tokens/revoke", c.page(c.revokeToken))
}

// tokensPage is the data of the page with the tokens.
type tokensPage struct {
	adminclient.TokenList
	All    bool
	Made   *adminclient.MadeToken // nil: none
	Paging paging
}

func (c *console) showTokens(r *request, made *adminclient.MadeToken) error {
	form := r.URL.Query()
	page := tokensPage{All: form.Get("all") != "", Made: made}
	var err error
	page.TokenList, err = r.api.TokenPage(r.Context(), page.All, form.Get("after"), pageSize)
	if err != nil {
		return err
	}
	page.Paging = pagingOf("tokens", form, page.Next)
	return c.show(r, "tokens", "Tokens", "tokens", page)
}

// addToken shows the secret with the page: nothing keeps the secret, and a second look is not possible.
func (c *console) addToken(r *request) error {
	scopes := strings.Fields(r.PostForm.Get("scopes"))
	for i, s := range scopes {
		if s != "all" && !strings.Contains(s, ":") {
			scopes[i] = "domain:" + s
		}
	}
	made, err := r.api.AddToken(r.Context(), adminclient.NewToken{
		Role: r.PostForm.Get("role"), Scopes: scopes, Lifetime: trimmed(r, "lifetime"), Note: trimmed(r, "note"),
	})
	if err != nil {
		return err
	}
	return c.showTokens(r, &made)
}

func (c *console) revokeToken(r *request) error {
	if r.PostForm.Get("sure") == "" {
		return errConfirm
	}
	revoked, err := r.api.RevokeToken(r.Context(), r.PostForm.Get("id"), r.PostForm.Get("made") != "")
	switch {
	case err != nil:
		return err
	case revoked.Everywhere:
		return c.back(r, "tokens", "revoked")
	}
	return c.back(r, "tokens", "revokedlater")
}
