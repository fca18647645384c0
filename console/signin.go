package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"popelago/adminclient"
)

// signInForm is the data of the page to sign in.
type signInForm struct {
	Problem string // reason for which the page is shown; empty: none
	Next    string // page to open afterwards, without the root
}

func (c *console) addSignIn(mux *http.ServeMux) {
	mux.Handle("GET "+Root+"static/", http.StripPrefix(Root, assets()))
	mux.HandleFunc("GET "+Root+"signin", func(w http.ResponseWriter, r *http.Request) {
		c.askSignIn(w, r, http.StatusOK, signInForm{Next: nextOf(r.URL.Query().Get("next"))})
	})
	mux.HandleFunc("POST "+Root+"signin", c.signIn)
	mux.HandleFunc("POST "+Root+"signout", func(w http.ResponseWriter, r *http.Request) {
		c.sessions.end(w, r)
		http.Redirect(w, r, Root+"signin", http.StatusSeeOther)
	})
}

// askSignIn writes the page to sign in.
func (s *site) askSignIn(w http.ResponseWriter, r *http.Request, status int, form signInForm) {
	if err := s.render(w, status, "signin", view{Root: s.root, Title: "Sign in", Data: form}); err != nil {
		s.fail(w, r, nil, err)
	}
}

// signedOut writes the page to sign in, for a request without a session that counts. A form that was sent
// is lost; a page that was asked for follows the sign-in.
func (s *site) signedOut(w http.ResponseWriter, r *http.Request, err error) {
	form := signInForm{}
	var refusal *adminclient.Error
	switch {
	case errors.As(err, &refusal): // the token was revoked, or has expired
		form.Problem = "Your session has ended: " + refusal.Detail + "."
		s.sessions.end(w, r)
	case errors.Is(err, errExpired):
		form.Problem = "Your session has ended. Sign in again."
		s.sessions.end(w, r)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		form.Next = nextOf(strings.TrimPrefix(r.URL.RequestURI(), s.root))
	} else {
		form.Problem += " Nothing was changed by the form."
	}
	s.askSignIn(w, r, http.StatusUnauthorized, form)
}

// nextOf returns a page of the site from an untrusted text; empty: the first page.
func nextOf(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.IsAbs() || u.Host != "" || u.Opaque != "" || strings.ContainsAny(text, "\\\x00\r\n") || strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, ".") || strings.Contains(u.Path, "/") || u.Path == "signin" {
		return ""
	}
	return text
}

// signIn begins a session with a token.
func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, nil, errBadForm)
		return
	}
	next := nextOf(r.PostForm.Get("next"))
	token := strings.TrimSpace(r.PostForm.Get("token"))
	caller, err := c.callerWith(r, token)
	var refusal *adminclient.Error
	switch {
	case errors.As(err, &refusal) && (refusal.Status == http.StatusUnauthorized || refusal.Status == http.StatusTooManyRequests):
		c.askSignIn(w, r, refusal.Status, signInForm{Problem: "The server refuses the token: " + refusal.Detail + ".", Next: next})
		return
	case err != nil:
		c.fail(w, r, nil, err)
		return
	}
	var until time.Time
	if caller.Expires != nil {
		until = *caller.Expires
	}
	if err := c.sessions.begin(w, r, "", token, until); err != nil {
		c.fail(w, r, nil, err)
		return
	}
	http.Redirect(w, r, Root+next, http.StatusSeeOther)
}

// callerWith returns the rights of a token. Errors: of the API.
func (c *console) callerWith(r *http.Request, token string) (adminclient.Caller, error) {
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return adminclient.Caller{}, &adminclient.Error{Status: http.StatusUnauthorized, Detail: "this is no token"}
	}
	api, err := client(c.api, r, token)
	if err != nil {
		return adminclient.Caller{}, err
	}
	return api.Caller(r.Context())
}

// page wraps the handler of a page for signed-in clients.
func (c *console) page(do func(*request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		s, err := c.sessions.of(hr)
		if err != nil {
			c.fail(w, hr, nil, err)
			return
		}
		r := &request{Request: hr, w: w, session: s}
		if r.api, err = client(c.api, hr, s.Secret); err == nil {
			r.caller, err = r.api.Caller(hr.Context())
		}
		if err == nil && hr.Method == http.MethodPost && hr.ParseForm() != nil {
			err = errBadForm
		}
		if err == nil {
			err = do(r)
		}
		if err != nil {
			c.fail(w, hr, r, err)
		}
	}
}
