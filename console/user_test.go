package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/console"
	"popelago/console/consoletest"
)

// user signs in as a user.
func user(t *testing.T, site *consoletest.Site, address, password string) *consoletest.Browser {
	t.Helper()
	b := site.UserBrowser(t)
	want(t, "sign in as "+address, b.Post("/signin", url.Values{"address": {address}, "password": {password}}), http.StatusSeeOther)
	return b
}

func TestUserPages(t *testing.T) {
	process := consoletest.NewProcess("here", session("s1", "alice@a.test"), session("s2", "bob@b.test"), session("s3", "alice@a.test"))
	setup := twoServers(process)
	site := newSite(t, setup)
	b := user(t, site, " ALICE@a.test ", "secret word")
	home := b.Get("/")
	want(t, "home", home, http.StatusOK, "<h1>alice@a.test</h1>", "Your administrator sets this age", "192.0.2.1", "Not every server has answered")
	if strings.Contains(home.Body, "s2") || strings.Contains(home.Body, "bob@") || strings.Contains(home.Body, "there") {
		t.Errorf("the page shows more than the own account:\n%s", home.Body)
	}
	want(t, "disconnect another's", b.Post("/sessions", url.Values{"id": {"s2"}}), http.StatusOK, "0 connections told to end")
	want(t, "disconnect", b.Post("/sessions", url.Values{"id": {"s1"}}), http.StatusOK, "1 connection told to end")
	want(t, "disconnect nothing", b.Post("/sessions", url.Values{}), http.StatusBadRequest)
	want(t, "disconnect all", b.Post("/sessions", url.Values{"all": {"yes"}}), http.StatusOK, "1 connection told to end", "No mail program is connected")
	if left := process.Sessions(); len(left) != 1 || left[0].ID != "s2" {
		t.Errorf("sessions left: %+v", left)
	}

	want(t, "no choice", b.Post("/retention", url.Values{"retention": {"30d"}}), http.StatusForbidden)
	if _, err := site.API.SetDomainSettings(t.Context(), "a.test", map[string]string{"retention_min": "10d", "retention_max": "365d"}); err != nil {
		t.Fatal(err)
	}
	want(t, "retention", b.Get("/"), http.StatusOK, "Possible: 10d to 365d")
	want(t, "retention out of bounds", b.Post("/retention", url.Values{"retention": {"1d"}}), http.StatusBadRequest, "10d")
	wantDone(t, "retention", b, b.Post("/retention", url.Values{"retention": {"30d"}}), "after 30d", "The change was made.")

	put, err := site.API.PutMessage(t.Context(), "alice@a.test", "", strings.NewReader("Subject: x\r\n\r\nx\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	others, err := site.API.PutMessage(t.Context(), "bob@b.test", "", strings.NewReader("Subject: y\r\n\r\ny\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"alice@a.test", "bob@b.test"} {
		if _, err := site.API.RemoveMessages(t.Context(), address, adminclient.MaildropRemoval{All: true}); err != nil {
			t.Fatal(err)
		}
	}
	removed := b.Get("/removed?address=bob%40b.test")
	want(t, "removed", removed, http.StatusOK, put.UniqueID)
	if strings.Contains(removed.Body, others.UniqueID) {
		t.Error("the page shows a message of another account")
	}
	form := url.Values{"address": {"bob@b.test"}, "uniqueId": {others.UniqueID}}
	want(t, "restore another's", b.Post("/removed", form), http.StatusOK, "0 messages restored", "without a removal")
	form.Set("uniqueId", put.UniqueID)
	want(t, "restore", b.Post("/removed", form), http.StatusOK, "1 message restored")
	if list, err := site.API.Maildrop(t.Context(), "alice@a.test", adminclient.MaildropQuery{}, "", 0); err != nil || len(list.Messages) != 1 {
		t.Errorf("maildrop after the restore: %+v, %v", list, err)
	}
	want(t, "sign out", b.Post("/signout", url.Values{}), http.StatusSeeOther)
	want(t, "signed out", b.Get("/"), http.StatusUnauthorized, `name="password"`)
}

func TestUserPassword(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b, other := user(t, site, "alice@a.test", "secret word"), user(t, site, "alice@a.test", "secret word")
	form := func(present, anew, again string) url.Values {
		return url.Values{"present": {present}, "password": {anew}, "again": {again}}
	}
	want(t, "differ", b.Post("/password", form("secret word", "new secret", "new secre")), http.StatusBadRequest, "differ")
	want(t, "wrong present", b.Post("/password", form("guess", "new secret", "new secret")), http.StatusBadRequest, "present password is wrong")
	want(t, "too short", b.Post("/password", form("secret word", "x", "x")), http.StatusBadRequest, "password")
	long := strings.Repeat("<long>", 400)
	want(t, "too long for a session", b.Post("/password", form("secret word", long, long)), http.StatusBadRequest, "too long for these pages, and nothing was changed")
	want(t, "nothing was changed", b.Get("/"), http.StatusOK)
	wantDone(t, "change", b, b.Post("/password", form("secret word", "new secret", "new secret")), "The password was changed.")
	want(t, "the session goes on", b.Get("/"), http.StatusOK)
	want(t, "the other session ends", other.Get("/"), http.StatusUnauthorized, "Your session has ended")
	want(t, "the old password", site.UserBrowser(t).Post("/signin", url.Values{"address": {"alice@a.test"}, "password": {"secret word"}}), http.StatusUnauthorized, "wrong")
	user(t, site, "alice@a.test", "new secret")
	if err := site.API.SetState(t.Context(), "alice@a.test", adminclient.Disabled); err != nil {
		t.Fatal(err)
	}
	want(t, "disabled", b.Get("/"), http.StatusForbidden, "may not log in")
}

// A session is bounded, and an address given to a new owner shows the new owner's mail to nobody else.
func TestUserSession(t *testing.T) {
	now := time.Now()
	site := newSite(t, consoletest.Setup{Console: console.Config{Session: time.Hour, Now: func() time.Time { return now }}})
	b := site.UserBrowser(t)
	a := b.Post("/signin", url.Values{"address": {"alice@a.test"}, "password": {"secret word"}, "next": {"removed"}})
	want(t, "sign in", a, http.StatusSeeOther)
	if a.Header.Get("Location") != "/removed" || strings.Contains(a.Header.Get("Set-Cookie"), "secret") {
		t.Errorf("sign in: %v", a.Header)
	}
	for _, part := range []string{"__Secure-popelago_user=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age=3600"} {
		if !strings.Contains(a.Header.Get("Set-Cookie"), part) {
			t.Errorf("cookie %q lacks %s", a.Header.Get("Set-Cookie"), part)
		}
	}
	want(t, "removed", b.Get("/removed"), http.StatusOK)
	want(t, "no page", b.Get("/v1/domains"), http.StatusNotFound)
	want(t, "console", b.Get("/console/"), http.StatusNotFound)
	b.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	want(t, "foreign form", b.Post("/password", url.Values{}), http.StatusForbidden, "came from another site")
	b.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	now = now.Add(time.Hour)
	want(t, "an hour later", b.Get("/"), http.StatusUnauthorized, "Your session has ended")
	now = now.Add(-time.Hour)

	for _, form := range []url.Values{{}, {"address": {"alice@a.test"}}, {"address": {"nobody@a.test"}, "password": {"secret word"}}, {"address": {"alice"}, "password": {"x"}}} {
		want(t, fmt.Sprint(form), site.UserBrowser(t).Post("/signin", form), http.StatusUnauthorized, "The address or the password is wrong.")
	}
	b = user(t, site, "alice@a.test", "secret word")
	if _, err := site.API.RemoveAccount(t.Context(), "alice@a.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := site.API.AddAccount(t.Context(), "alice@a.test", "another owner"); err != nil {
		t.Fatal(err)
	}
	want(t, "a new owner", b.Get("/"), http.StatusUnauthorized, "Your session has ended")
	for _, path := range []string{"/", "/removed", "/signin", "/nothing", "/static/console.css"} {
		a := user(t, site, "alice@a.test", "another owner").Get(path)
		if !strings.HasPrefix(a.Header.Get("Content-Security-Policy"), "default-src 'self'; ") {
			t.Errorf("%s has no policy", path)
		}
		if found := inline.FindString(a.Body); found != "" && path != "/static/console.css" {
			t.Errorf("%s has %q inside", path, found)
		}
	}
}

// Passwords need TLS, as everywhere: requests of other machines without TLS are refused.
func TestUserPasswordNeedsTLS(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	a := site.From("192.0.2.9:1", "http://localhost/signin", url.Values{"address": {"alice@a.test"}, "password": {"secret word"}})
	if a.Code != http.StatusForbidden || !strings.Contains(a.Body.String(), "TLS") {
		t.Errorf("without TLS: %d\n%s", a.Code, a.Body)
	}
}
