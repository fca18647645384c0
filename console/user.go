package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"popelago/adminclient"
)

// userRoot is the path of the page of users, which has an address of its own.
const userRoot = "/"

// userPages holds the values shared by the pages of users.
type userPages struct {
	site
	api http.Handler
}

// NewUserPages makes the handler of the pages for users, who sign in with the address and the password of
// their account. api is the administration API for callers with a token: the pages use the operations
// for users, below /v1/self/, alone. The handler serves all paths of its address.
func NewUserPages(cfg Config, api http.Handler) (http.Handler, error) {
	if api == nil {
		return nil, errors.New("console: the API is needed")
	}
	s, err := newSite(complete(cfg), userRoot, "user", "popelago_user")
	if err != nil {
		return nil, err
	}
	u := &userPages{site: s, api: api}
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.StripPrefix("/", assets()))
	mux.HandleFunc("GET /signin", func(w http.ResponseWriter, r *http.Request) {
		u.askSignIn(w, r, http.StatusOK, signInForm{Next: nextOf(r.URL.Query().Get("next"))})
	})
	mux.HandleFunc("POST /signin", u.signIn)
	mux.HandleFunc("POST /signout", func(w http.ResponseWriter, r *http.Request) {
		u.sessions.end(w, r)
		http.Redirect(w, r, "/signin", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /{$}", u.page(u.home))
	mux.HandleFunc("POST /retention", u.page(u.setRetention))
	mux.HandleFunc("POST /password", u.page(u.setPassword))
	mux.HandleFunc("POST /sessions", u.page(u.disconnect))
	mux.HandleFunc("GET /removed", u.page(func(r *request) error { return u.showRemoved(r, nil) }))
	mux.HandleFunc("POST /removed", u.page(u.restore))
	mux.HandleFunc("/", u.page(func(*request) error { return errNoPage }))
	return u.guard(mux), nil
}

// client returns a client of the API for a user.
func (u *userPages) client(r *http.Request, address, password string) (*adminclient.Client, error) {
	c, err := client(u.api, r, "")
	if err != nil {
		return nil, err
	}
	return c.AsUser(address, password), nil
}

// signIn begins a session with the address and the password of an account.
func (u *userPages) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		u.fail(w, r, nil, errBadForm)
		return
	}
	next, address, password := nextOf(r.PostForm.Get("next")), strings.TrimSpace(r.PostForm.Get("address")), r.PostForm.Get("password")
	var own adminclient.OwnRetention
	api, err := u.client(r, address, password)
	switch {
	case address == "" || password == "" || strings.ContainsAny(address, ":\x00\r\n"):
		err = &adminclient.Error{Status: http.StatusUnauthorized}
	case err == nil:
		own, err = api.OwnRetention(r.Context())
	}
	switch status := statusOf(err); {
	case strings.Contains(address, ":"): // RFC 7617 section 2
		u.askSignIn(w, r, http.StatusUnauthorized, signInForm{Problem: "An address with a colon cannot sign in here.", Next: next})
		return
	case status == http.StatusUnauthorized:
		u.askSignIn(w, r, status, signInForm{Problem: "The address or the password is wrong.", Next: next})
		return
	case status == http.StatusForbidden || status == http.StatusTooManyRequests:
		u.askSignIn(w, r, status, signInForm{Problem: "You cannot sign in now: " + problemOf(err).Text + ".", Next: next})
		return
	case err != nil:
		u.fail(w, r, nil, err)
		return
	}
	if err := u.sessions.begin(w, r, own.Address, password, time.Time{}); err != nil {
		u.fail(w, r, nil, err)
		return
	}
	http.Redirect(w, r, userRoot+next, http.StatusSeeOther)
}

// page wraps the handler of a page for signed-in users. The API checks the password with each question,
// from its memory: a changed password, or a disabled account, ends the session.
func (u *userPages) page(do func(*request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, hr *http.Request) {
		s, err := u.sessions.of(hr)
		if err != nil {
			u.fail(w, hr, nil, err)
			return
		}
		r := &request{Request: hr, w: w, session: s}
		r.api, err = u.client(hr, s.Name, s.Secret)
		if err == nil && hr.Method == http.MethodPost && hr.ParseForm() != nil {
			err = errBadForm
		}
		if err == nil {
			err = do(r)
		}
		if statusOf(err) == http.StatusUnauthorized {
			err = errExpired
		}
		if err != nil {
			u.fail(w, hr, r, err)
		}
	}
}

// homePage is the data of the first page of a user.
type homePage struct {
	Own      adminclient.OwnRetention
	Sessions adminclient.SessionList
	Ended    *adminclient.SessionsEnded
}

func (u *userPages) home(r *request) error { return u.showHome(r, nil) }

func (u *userPages) showHome(r *request, ended *adminclient.SessionsEnded) error {
	page := homePage{Ended: ended}
	var err error
	if page.Own, err = r.api.OwnRetention(r.Context()); err != nil {
		return err
	}
	if page.Sessions, err = r.api.OwnSessions(r.Context()); err != nil {
		return err
	}
	return u.show(r, "home", "My mail", "home", page)
}

func (u *userPages) setRetention(r *request) error {
	if _, err := r.api.SetOwnRetention(r.Context(), trimmed(r, "retention")); err != nil {
		return err
	}
	return u.back(r, "", "changed")
}

// setPassword asks for the present password too: the browser may have been left signed in. A wrong one
// counts as a failed login. The session goes on with the new password; the sessions of other browsers end.
func (u *userPages) setPassword(r *request) error {
	password := r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		return errNotSame
	}
	anew := r.session
	anew.Secret = password
	if _, err := u.sessions.seal(anew); err != nil { // better known before the change
		return err
	}
	api, err := u.client(r.Request, r.session.Name, r.PostForm.Get("present"))
	if err == nil {
		err = api.SetOwnPassword(r.Context(), password)
	}
	switch {
	case statusOf(err) == http.StatusUnauthorized:
		return errNotPresent
	case err != nil:
		return err
	}
	u.sessions.end(r.w, r.Request)
	r.w.Header().Del("Set-Cookie")
	if err := u.sessions.begin(r.w, r.Request, r.session.Name, password, time.Time{}); err != nil {
		return err
	}
	return u.back(r, "", "password")
}

func (u *userPages) disconnect(r *request) error {
	ended, err := r.api.EndOwnSessions(r.Context(), adminclient.OwnSessionEnd{ID: r.PostForm.Get("id"), All: r.PostForm.Get("all") != ""})
	if err != nil {
		return err
	}
	return u.showHome(r, &ended)
}

func (u *userPages) showRemoved(r *request, restored *adminclient.Restored) error {
	after := r.FormValue("after")
	list, err := r.api.OwnRemovedMessages(r.Context(), after, removedMost)
	if err != nil {
		return err
	}
	page := newRemovedPage(list, r.session.Name, after, restored)
	page.Paging = pagingOf("removed", url.Values{"after": {after}}, list.Next)
	return u.show(r, "removed", "Removed messages", "removed", page)
}

func (u *userPages) restore(r *request) error {
	restored, err := r.api.RestoreOwn(r.Context(), restoreOrder(r.PostForm))
	if err != nil {
		return err
	}
	return u.showRemoved(r, &restored)
}

// restoreOrder returns the order in the form of the removed messages. A restore of all messages goes on with a restore that is
// not complete: what the user has removed since its begin stays removed.
func restoreOrder(form url.Values) adminclient.RestoreRequest {
	if form.Get("all") != "" {
		order := adminclient.RestoreRequest{All: true}
		if began, err := time.Parse(time.RFC3339Nano, form.Get("began")); err == nil {
			order.Began = &began
		}
		return order
	}
	return adminclient.RestoreRequest{UniqueIDs: form["uniqueId"]}
}
