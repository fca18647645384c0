package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/console"
	"popelago/console/consoletest"
)

// pages are the pages of the console for a site of newSite.
var pages = []string{
	"", "domains", "domain?name=a.test", "accounts?domain=a.test", "accounts?domain=a.test&use=yes&prefix=al&contains=i&state=enabled",
	"account?address=alice%40a.test", "quotas?domain=a.test&above=0", "find?address=alice%40a.test", "find?address=nobody%40a.test",
	"maildrop?address=alice%40a.test", "removed?address=alice%40a.test", "aliases?domain=a.test", "alias?address=sales%40a.test", "groups?domain=a.test", "group?address=team%40a.test", "find?address=team%40a.test",
	"tasks", "tokens", "tokens?all=yes", "sessions", "sessions?user=alice%40a.test&protocol=pop3",
	"trace", "trace?subject=alice%40a.test", "trace?subject=%3C1%40example.org%3E&as=message-id&since=2h&until=2026-11-26+10:00", "audit", "audit?subject=alice%40a.test&since=3d", "audit?subject=a.test",
}

// newSite starts a console with the domains a.test and b.test, and an account in each.
func newSite(t *testing.T, setup consoletest.Setup) *consoletest.Site {
	t.Helper()
	site := consoletest.Start(t, setup)
	for _, domain := range []string{"a.test", "b.test"} {
		if _, err := site.API.AddDomain(t.Context(), domain); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range []string{"alice@a.test", "bob@b.test"} {
		if _, err := site.API.AddAccount(t.Context(), address, "secret word"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := site.API.AddAlias(t.Context(), "sales@a.test", "alice@a.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := site.API.AddGroup(t.Context(), "team@a.test", []string{"alice@a.test", "sales@a.test"}); err != nil {
		t.Fatal(err)
	}
	return site
}

// token makes a token, and returns its secret.
func token(t *testing.T, site *consoletest.Site, role, lifetime string, scopes ...string) adminclient.MadeToken {
	t.Helper()
	made, err := site.API.AddToken(t.Context(), adminclient.NewToken{Role: role, Scopes: scopes, Lifetime: lifetime})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// want checks the status and texts of an answer.
func want(t *testing.T, what string, a consoletest.Answer, status int, texts ...string) {
	t.Helper()
	if a.Status != status {
		t.Errorf("%s: status %d, want %d\n%s", what, a.Status, status, a.Body)
		return
	}
	for _, text := range texts {
		if !strings.Contains(a.Body, text) {
			t.Errorf("%s lacks %q:\n%s", what, text, a.Body)
		}
	}
}

// wantDone checks that a form was accepted, and returns the page that follows.
func wantDone(t *testing.T, what string, b *consoletest.Browser, a consoletest.Answer, texts ...string) consoletest.Answer {
	t.Helper()
	want(t, what, a, http.StatusSeeOther)
	next := b.Get(a.Header.Get("Location"))
	want(t, what+": next page", next, http.StatusOK, texts...)
	return next
}

// field returns the value of a hidden field of a page.
func field(t *testing.T, a consoletest.Answer, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + regexp.QuoteMeta(name) + `" value="([^"]*)"`).FindStringSubmatch(a.Body)
	if m == nil {
		t.Fatalf("the page has no field %s:\n%s", name, a.Body)
	}
	return strings.NewReplacer("&#34;", `"`, "&#43;", "+", "&amp;", "&", "&#39;", "'", "&lt;", "<", "&gt;", ">").Replace(m[1])
}

// inline finds scripts and styles inside a page.
var inline = regexp.MustCompile(`(?i)<script(?:[^>]*)>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:|https?://`)

func TestEveryAnswerIsHardened(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	out, in := site.Browser(t), site.Browser(t).SignIn(consoletest.Secret)
	answers := map[string]consoletest.Answer{
		"signed out": out.Get("domains"), "sign in": out.Get("signin"), "no token": out.Post("signin", url.Values{"token": {"x"}}),
		"no page": in.Get("nothing"), "no file": in.Get("static/nothing"), "list of files": in.Get("static/"), "no method": in.Do(http.MethodPut, "domains", nil),
		"root": in.Get("/console"), "style": in.Get("static/console.css"), "script": in.Get("static/live.js"),
		"deep": in.Get("a/b/c"), "refused": in.Post("domains", url.Values{"name": {"not a domain"}}),
	}
	for _, path := range pages {
		answers[path] = in.Get(path)
		want(t, path, answers[path], http.StatusOK, "<h1>", `lang="en"`, `id="main"`)
		if found := inline.FindString(answers[path].Body); found != "" {
			t.Errorf("%s has %q inside", path, found)
		}
	}
	for what, a := range answers {
		h := a.Header
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self'; ") || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: header %v", what, h)
		}
		if cache := h.Get("Cache-Control"); cache != "no-store" && what != "style" && what != "script" && what != "no file" {
			t.Errorf("%s: Cache-Control %q", what, cache)
		}
	}
	want(t, "list of files", answers["list of files"], http.StatusNotFound)
	want(t, "no page", answers["no page"], http.StatusNotFound, "There is no such thing")
	want(t, "signed out", answers["signed out"], http.StatusUnauthorized, `name="token"`, `name="next" value="domains"`)
}

func TestSignIn(t *testing.T) {
	now := time.Now()
	site := newSite(t, consoletest.Setup{Console: console.Config{Session: time.Hour, Now: func() time.Time { return now }}})
	b := site.Browser(t)
	a := b.Post("signin", url.Values{"token": {" " + consoletest.Secret + "\n"}, "next": {"account?address=alice%40a.test"}})
	want(t, "sign in", a, http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != "/console/account?address=alice%40a.test" {
		t.Errorf("after the sign-in: %s", got)
	}
	cookie := a.Header.Get("Set-Cookie")
	for _, part := range []string{"__Secure-popelago_console=", "Path=/console/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age=3600"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, consoletest.Secret) {
		t.Error("the cookie shows the token")
	}
	want(t, "a page", b.Get("domains"), http.StatusOK, "a.test")

	now = now.Add(time.Hour)
	want(t, "an hour later", b.Get("domains"), http.StatusUnauthorized, "Your session has ended")
	b.SignIn(consoletest.Secret)
	want(t, "signed out", b.Post("signout", url.Values{}), http.StatusSeeOther)
	want(t, "after that", b.Get("domains"), http.StatusUnauthorized)

	// A stolen cookie ends with the session too.
	a = b.Post("signin", url.Values{"token": {consoletest.Secret}})
	thief := site.Browser(t)
	thief.Header.Set("Cookie", strings.SplitN(a.Header.Get("Set-Cookie"), ";", 2)[0])
	want(t, "with the cookie", thief.Get("domains"), http.StatusOK)
	b.Post("signout", url.Values{})
	want(t, "after the end", thief.Get("domains"), http.StatusUnauthorized)

	for _, wrong := range []string{"", "x", "two words", "pp_" + strings.Repeat("x", 43), strings.Repeat("y", 5000), "\x00"} {
		want(t, wrong, site.Browser(t).Post("signin", url.Values{"token": {wrong}}), http.StatusUnauthorized, "The server refuses the token", `role="alert"`)
	}
	for _, next := range []string{"//evil.example", "https://evil.example", `\\evil.example`, "/evil", "../v1/domains", "signin", "javascript:alert(1)", "x/y"} {
		a := site.Browser(t).Post("signin", url.Values{"token": {consoletest.Secret}, "next": {next}})
		if got := a.Header.Get("Location"); a.Status != http.StatusSeeOther || got != "/console/" {
			t.Errorf("next %q: %d %s", next, a.Status, got)
		}
	}
}

func TestTokenEnds(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	made := token(t, site, "operator", "1h", "all")
	b := site.Browser(t).SignIn(made.Secret)
	want(t, "a page", b.Get("domains"), http.StatusOK)
	if _, err := site.API.RevokeToken(t.Context(), made.ID, false); err != nil {
		t.Fatal(err)
	}
	want(t, "revoked", b.Get("domains"), http.StatusUnauthorized, "Your session has ended")
	want(t, "revoked, sign in", b.Post("signin", url.Values{"token": {made.Secret}}), http.StatusUnauthorized, "revoked")
	want(t, "a form", b.Post("domains", url.Values{"name": {"c.test"}}), http.StatusUnauthorized, "Nothing was changed")

	short := token(t, site, "admin", "1h", "all")
	a := site.Browser(t).Post("signin", url.Values{"token": {short.Secret}})
	if cookie := a.Header.Get("Set-Cookie"); a.Status != http.StatusSeeOther || !regexp.MustCompile(`Max-Age=3?[0-9]{1,3};`).MatchString(cookie) {
		t.Errorf("a session outlives its token: %s", cookie)
	}
}

// Several servers with one secret continue a session; a server with another key does not.
func TestSessionOnAnotherServer(t *testing.T) {
	shared := console.Config{Secret: "a secret of all servers"}
	one, two, three := newSite(t, consoletest.Setup{Console: shared}), newSite(t, consoletest.Setup{Console: shared}), newSite(t, consoletest.Setup{})
	a := one.Browser(t).Post("signin", url.Values{"token": {consoletest.Secret}})
	cookie := strings.SplitN(a.Header.Get("Set-Cookie"), ";", 2)[0]
	for what, test := range map[string]struct {
		site   *consoletest.Site
		status int
	}{"same secret": {two, http.StatusOK}, "another key": {three, http.StatusUnauthorized}} {
		b := test.site.Browser(t)
		b.Header.Set("Cookie", cookie)
		want(t, what, b.Get("domains"), test.status)
	}
	b := one.Browser(t)
	b.Header.Set("Cookie", cookie[:len(cookie)-3]+"xyz")
	want(t, "a changed cookie", b.Get("domains"), http.StatusUnauthorized)
}

func TestForeignFormsAreRefused(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	for what, header := range map[string]http.Header{
		"other site":   {"Sec-Fetch-Site": {"cross-site"}},
		"other host":   {"Sec-Fetch-Site": {"same-site"}},
		"other origin": {"Origin": {"https://evil.example"}},
		"no origin":    {"Origin": {"null"}},
	} {
		b.Header = header
		want(t, what, b.Post("domains", url.Values{"name": {"evil.test"}}), http.StatusForbidden, "came from another site")
		want(t, what+", sign out", b.Post("signout", url.Values{}), http.StatusForbidden)
	}
	b.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	a := b.Get("domains")
	want(t, "still signed in", a, http.StatusOK)
	if strings.Contains(a.Body, "evil.test") {
		t.Error("a foreign form made a domain")
	}
	// No page changes anything by GET.
	for _, path := range []string{"signout", "domain/remove", "account/remove", "drain", "account/password"} {
		if a := b.Get(path); a.Status < 400 {
			t.Errorf("GET %s: %d", path, a.Status)
		}
	}
}

// Wrong tokens have the limit of the API, for the address of the browser.
func TestWrongTokensAreLimited(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	for i := range 1000 {
		r := httptest.NewRequest(http.MethodPost, "https://localhost/console/signin", strings.NewReader(url.Values{"token": {"wrong-but-long-enough-to-be-one"}}.Encode()))
		r.RemoteAddr = "192.0.2.9:1234"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		site.Handler.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests {
			if i == 0 {
				t.Error("the first wrong token was refused by the limit")
			}
			return
		}
		if w.Code != http.StatusUnauthorized {
			t.Fatalf("wrong token %d: %d", i, w.Code)
		}
	}
	t.Error("no limit of wrong tokens")
}

func TestScopesAndRoles(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	scoped := site.Browser(t).SignIn(token(t, site, "operator", "1h", "domain:a.test").Secret)
	if a := scoped.Get(""); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/console/domains" {
		t.Errorf("the first page for a domain: %d %s", a.Status, a.Header.Get("Location"))
	}
	a := scoped.Get("domains")
	want(t, "domains", a, http.StatusOK, "a.test", "domain:a.test")
	for _, hidden := range []string{"b.test", "Add a domain", ">Status<"} {
		if strings.Contains(a.Body, hidden) {
			t.Errorf("the page shows %q", hidden)
		}
	}
	want(t, "own account", scoped.Get("account?address=alice%40a.test"), http.StatusOK, "Change password")
	for _, path := range []string{"domain?name=b.test", "accounts?domain=b.test", "account?address=bob%40b.test", "maildrop?address=bob%40b.test", "live"} {
		want(t, path, scoped.Get(path), http.StatusForbidden, "You may not do this")
	}
	want(t, "add a domain", scoped.Post("domains", url.Values{"name": {"c.test"}}), http.StatusForbidden)

	reader := site.Browser(t).SignIn(token(t, site, "read-only", "1h", "all").Secret)
	a = reader.Get("account?address=alice%40a.test")
	want(t, "read only", a, http.StatusOK)
	for _, hidden := range []string{"Change password", "Remove the account", "Change settings"} {
		if strings.Contains(a.Body, hidden) {
			t.Errorf("the page shows %q", hidden)
		}
	}
	want(t, "change", reader.Post("account/state", url.Values{"address": {"alice@a.test"}, "state": {"disabled"}}), http.StatusForbidden, "You may not do this")
	want(t, "drain", reader.Post("drain", url.Values{"on": {"true"}, "sure": {"yes"}}), http.StatusForbidden)
}
