package console

import (
	"bytes"
	"net/http"
	"strings"

	"popelago/adminclient"
)

// site holds the parts that the console and the page of users have in common.
type site struct {
	cfg      Config
	root     string // path
	name     string // "admin" or "user"
	sessions *keeper
	pages    map[string]page
}

func newSite(cfg Config, root, name, cookie string) (site, error) {
	sessions, err := newKeeper(cfg, root, name, cookie)
	if err != nil {
		return site{}, err
	}
	pages, err := parsePages(name)
	return site{cfg: cfg, root: root, name: name, sessions: sessions, pages: pages}, err
}

// request is a request for a page by a signed-in client.
type request struct {
	*http.Request
	w       http.ResponseWriter
	session session
	api     *adminclient.Client
	// own is the name of the server that answers, once known.
	own string
	// caller is the zero value on the page of users.
	caller adminclient.Caller
}

// view is the data of every template.
type view struct {
	Root  string
	Title string
	// Here is the entry of the navigation that the page belongs to.
	Here string
	// Caller is nil before the sign-in.
	Caller *adminclient.Caller
	// User is the address of the user, on the page of users.
	User string
	// Notice is the result of the change before; empty: none.
	Notice string
	Data   any
}

// Has reports whether the caller has a role, on the whole server.
func (v view) Has(role string) bool { return v.Caller != nil && v.Whole() && v.May(role) }

// May reports whether the caller has a role, at least in some domains.
func (v view) May(role string) bool {
	rank := map[string]int{"read-only": 1, "operator": 2, "admin": 3}
	return v.Caller != nil && rank[v.Caller.Role] >= rank[role]
}

// Whole reports whether the caller has the scope all.
func (v view) Whole() bool {
	for _, scope := range v.Caller.Scopes {
		if scope == "all" {
			return true
		}
	}
	return false
}

// show writes a page.
func (s *site) show(r *request, name, title, here string, data any) error {
	return s.showWith(r, http.StatusOK, name, title, here, data)
}

// showWith writes a page with a status.
func (s *site) showWith(r *request, status int, name, title, here string, data any) error {
	v := view{Root: s.root, Title: title, Here: here, Notice: notices[r.URL.Query().Get("done")], Data: data}
	if r.caller.ID != "" {
		v.Caller = &r.caller
	}
	v.User = r.session.Name
	return s.render(r.w, status, name, v)
}

// render writes a page whole, or returns an error.
func (s *site) render(w http.ResponseWriter, status int, name string, v view) error {
	var b bytes.Buffer
	if err := s.pages[name].ExecuteTemplate(&b, "layout", v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone, so the error has no reader.
	_, _ = w.Write(b.Bytes())
	return nil
}

// back redirects to a page after a change. done is a key of notices.
func (s *site) back(r *request, path, done string) error {
	if done != "" {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "done=" + done
	}
	http.Redirect(r.w, r.Request, s.root+path, http.StatusSeeOther)
	return nil
}

// notices are the results of changes, by their name in URLs.
var notices = map[string]string{
	"made":         "It was made.",
	"changed":      "The change was made.",
	"removed":      "It was removed.",
	"password":     "The password was changed.",
	"started":      "The run was requested.",
	"cancelled":    "The run ends between two steps.",
	"nothing":      "No run was in progress.",
	"drained":      "The server is going out of service.",
	"undrained":    "The server is in service again.",
	"revoked":      "The token was revoked, in every datacenter.",
	"revokedlater": "The token was revoked. A datacenter that cannot be reached accepts it until it can be reached.",
}
