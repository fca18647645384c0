package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"popelago/console"
	"popelago/console/consoletest"
	"popelago/event"
	"popelago/mail"
)

// The trace of a message is found by each of its names, from the pages of the account and of the message.
func TestTracePage(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	put, err := site.API.PutMessage(t.Context(), "alice@a.test", "", strings.NewReader("Message-ID: <1@example.org>\r\n\r\nx\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	id, err := mail.ParseMessageID(put.ID)
	if err != nil {
		t.Fatal(err)
	}
	alice := event.Event{Address: "alice@a.test", Message: id, HeaderID: "1@example.org"}
	accepted, retrieved := alice, alice
	accepted.Kind, accepted.Time, accepted.Sender, accepted.Recipient = event.Accepted, now.Add(-3*time.Hour), "x@y.test", "sales@a.test"
	accepted.Protocol, accepted.Remote, accepted.Reached, accepted.Size = "LMTP", netip.MustParseAddr("192.0.2.7"), mail.ReachedEach, 1234
	retrieved.Kind, retrieved.Time = event.Retrieved, now.Add(-time.Hour)
	login := event.Event{Kind: event.LoggedIn, Address: "alice@a.test", Time: now.Add(-time.Hour), Session: "s7"}
	for _, e := range []event.Event{accepted, retrieved, login} {
		site.Events.Happened(e)
	}

	empty := b.Get("trace")
	want(t, "the form", empty, http.StatusOK, `<label for="subject">`, `<label for="since">`)
	if strings.Contains(empty.Body, "No event") {
		t.Error("the form alone says that it found nothing")
	}
	story := []string{"accepted", "retrieved", "put-message", "x@y.test", "sales@a.test", "1@example.org", "1234", "each", "192.0.2.7", "LMTP", put.UniqueID, "here"}
	for _, subject := range []string{put.ID, put.UniqueID, "<1@example.org>", "1@example.org", "alice@a.test"} {
		want(t, subject, b.Get("trace?subject="+url.QueryEscape(subject)), http.StatusOK, append(story, "Records are kept for 30 days", "trace.keep")...)
	}
	want(t, "logins", b.Get("trace?subject=alice%40a.test"), http.StatusOK, "login", "s7")
	for path, link := range map[string]string{
		"account?address=alice%40a.test": "trace?subject=alice%40a.test&as=address", "message?address=alice%40a.test&uniqueId=" + put.UniqueID: "trace?subject=" + put.ID + "&as=id",
	} {
		want(t, path, b.Get(path), http.StatusOK, `href="`+html.EscapeString(link)+`"`)
		want(t, link, b.Get(link), http.StatusOK, story...)
	}

	for bounds, kinds := range map[string][2]bool{ // accepted, retrieved
		"since=2h": {false, true}, "until=2h": {true, false}, "since=4h": {true, true}, "since=1m&until=30s": {false, false},
		"since=" + url.QueryEscape(now.Add(-2*time.Hour).UTC().Format("2006-01-02 15:04:05")): {false, true},
		"until=" + url.QueryEscape(now.Add(-2*time.Hour).UTC().Format(time.RFC3339)):          {true, false},
	} {
		a := b.Get("trace?subject=alice%40a.test&" + bounds)
		want(t, bounds, a, http.StatusOK)
		for i, kind := range []string{"accepted", "retrieved"} {
			if strings.Contains(a.Body, ">"+kind+"<") != kinds[i] {
				t.Errorf("%s: %s is there: %v", bounds, kind, !kinds[i])
			}
		}
	}
	want(t, "no time", b.Get("trace?subject=alice%40a.test&since=yesterday"), http.StatusBadRequest, "neither an age such as 2h", `value="alice@a.test"`, `role="alert"`)
	want(t, "no subject", b.Get("trace?subject=two+words"), http.StatusBadRequest, "name a message id", `value="two words"`)
	want(t, "another kind", b.Get("trace?subject=x&as=id"), http.StatusBadRequest, `role="alert"`)
	want(t, "no kind", b.Get("trace?subject=x&as=y"), http.StatusUnprocessableEntity, `role="alert"`)
	want(t, "no position", b.Get("trace?subject=alice%40a.test&before=x"), http.StatusBadRequest)
	want(t, "an unknown address", b.Get("trace?subject=nobody%40a.test"), http.StatusOK, "No event was found", "Records are kept for 30 days")
	want(t, "an unknown message", b.Get("trace?subject=unknown"), http.StatusOK, "No event was found")
}

// The audit shows every action of an administrator with the fields that it has changed.
func TestAuditPage(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	for _, quota := range []string{"1GiB", "2GiB", ""} {
		if _, err := site.API.SetAccountSettings(t.Context(), "alice@a.test", map[string]string{"quota": quota}); err != nil {
			t.Fatal(err)
		}
	}
	site.Events.Happened(event.Event{Kind: event.LoggedIn, Address: "alice@a.test", Protocol: "POP3S", Remote: netip.MustParseAddr("192.0.2.7")})
	site.Events.Happened(event.Event{Kind: event.Changed, Operation: "x", Address: "alice@a.test", Before: `{"cut`, After: "a plain text"})
	account := b.Get("audit?subject=ALICE%40a.test")
	want(t, "an account", account, http.StatusOK, "configured", "HTTP", "login", "192.0.2.7", "Records are kept for 400 days", "set-account-settings",
		`<span class="muted">settings.quota</span> new: <ins>1GiB</ins>`, `<span class="muted">settings.quota</span> from <del>1GiB</del> to <ins>2GiB</ins>`,
		`<span class="muted">settings.quota</span> gone: <del>2GiB</del>`, "from <del>{&#34;cut</del> to <ins>a plain text</ins>")
	if n := strings.Count(account.Body, `<span class="muted">state</span>`); n != 1 {
		t.Errorf("the state of the account is there %d times, want once, at its making", n)
	}
	want(t, "a domain", b.Get("audit?subject=a.test"), http.StatusOK, "add-domain", "add-group")
	all := b.Get("audit")
	want(t, "all", all, http.StatusOK, "add-domain", "b.test", "bob@b.test")
	want(t, "no subject", b.Get("audit?subject=two+words"), http.StatusBadRequest, `value="two words"`, `role="alert"`)
	want(t, "an unknown address", b.Get("audit?subject=nobody%40a.test"), http.StatusOK, "No event was found")
	want(t, "link of the account", b.Get("account?address=alice%40a.test"), http.StatusOK, `href="audit?subject=alice%40a.test"`)

	for i := range 250 {
		site.Events.Happened(event.Event{Kind: event.LoggedIn, Address: "bob@b.test", Session: fmt.Sprintf("s%d", i)})
	}
	if seen, n := allPages(t, b, "audit?subject=bob%40b.test"); len(seen) != 251 || n != 3 {
		t.Errorf("%d events on %d pages, want 251 on 3", len(seen), n)
	}
}

// A caller sees the events of the own domains alone, and links to the pages only with the right.
func TestEventsWithinRights(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	nav := func(b *consoletest.Browser) string {
		_, rest, _ := strings.Cut(b.Get("domains").Body, `aria-label="Console"`)
		text, _, _ := strings.Cut(rest, "</nav>")
		return text
	}
	for role, may := range map[string]struct{ trace, audit int }{
		"read-only": {http.StatusForbidden, http.StatusForbidden}, "operator": {http.StatusOK, http.StatusForbidden}, "admin": {http.StatusOK, http.StatusOK},
	} {
		b := site.Browser(t).SignIn(token(t, site, role, "1h", "domain:a.test").Secret)
		account := b.Get("account?address=alice%40a.test").Body
		for page, status := range map[string]int{"trace": may.trace, "audit": may.audit} {
			for _, path := range []string{page, page + "?subject=alice%40a.test"} {
				want(t, role+": "+path, b.Get(path), status)
			}
			if shown := strings.Contains(nav(b), `/console/`+page+`"`); shown != (status == http.StatusOK) {
				t.Errorf("%s: the navigation has the page %s: %v", role, page, shown)
			}
			if shown := strings.Contains(account, `href="`+page+`?`); shown != (status == http.StatusOK) {
				t.Errorf("%s: the account has a link to the page %s: %v", role, page, shown)
			}
		}
	}
	b := site.Browser(t).SignIn(token(t, site, "admin", "1h", "domain:a.test").Secret)
	for _, path := range []string{"trace?subject=bob%40b.test", "audit?subject=bob%40b.test", "audit?subject=b.test"} {
		want(t, path, b.Get(path), http.StatusForbidden, "You may not do this")
	}
	if all := b.Get("audit"); strings.Contains(all.Body, "b.test") || !strings.Contains(all.Body, "add-group") {
		t.Errorf("the audit of the own domains:\n%s", all.Body)
	}
}

// Every field of an event is text, wherever it came from.
func TestEventsAreEscaped(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	const evil = `"><script>alert(1)</script><img/src=x/onerror=alert(2)>`
	address := `"` + strings.ReplaceAll(evil, `"`, `\"`) + `"@a.test`
	if _, err := site.API.AddAccount(t.Context(), address, "secret word"); err != nil {
		t.Fatal(err)
	}
	e := event.Event{
		Kind: event.Refused, Server: evil, Datacenter: evil, Address: "alice@a.test", Recipient: evil, Sender: evil, Message: mail.NewIDSource(nil).Next(), UIDL: mail.UIDL(evil),
		HeaderID: evil, Protocol: evil, Session: evil, Cause: evil, Actor: evil, Operation: evil, Before: `{"` + "<b>" + `": "x"}`, After: evil,
	}
	site.Events.Happened(e)
	e.Kind = event.Changed
	site.Events.Happened(e)
	for _, path := range []string{
		"trace?subject=alice%40a.test", "audit?subject=alice%40a.test", "audit", "trace?subject=" + url.QueryEscape(evil), "audit?subject=" + url.QueryEscape(evil),
		"trace?subject=x&since=" + url.QueryEscape(evil), "trace?as=address&subject=" + url.QueryEscape(address), "audit?subject=" + url.QueryEscape(address),
	} {
		a := b.Get(path)
		for _, raw := range []string{"<script>alert", "<img", "<b>"} {
			if strings.Contains(a.Body, raw) {
				t.Errorf("%s: the page has %q as markup:\n%s", path, raw, a.Body)
			}
		}
		if !strings.Contains(a.Body, "&lt;script&gt;") {
			t.Errorf("%s: the page lacks the text:\n%s", path, a.Body)
		}
	}
}

func TestNoRecords(t *testing.T) {
	site := newSite(t, consoletest.Setup{NoRecords: true})
	b := site.Browser(t).SignIn(consoletest.Secret)
	for _, page := range []string{"trace", "audit"} {
		want(t, page, b.Get(page+"?subject=alice%40a.test"), http.StatusOK, "This server keeps no records", page+".enabled", "No event was found")
	}
}

// A page says that the events of a datacenter may be missing, and that records are damaged.
func TestPartialEvents(t *testing.T) {
	ask := browse(t, `{"events":[],"partial":true,"damaged":3,"enabled":true,"kept":"720h0m0s"}`)
	for _, path := range []string{"trace?subject=alice@a.test", "audit"} {
		code, text := ask(path)
		if code != http.StatusOK || !strings.Contains(text, "A datacenter could not be asked") || !strings.Contains(text, "Damaged records: 3") {
			t.Errorf("%s: %d\n%s", path, code, text)
		}
	}
}

// A page names the parts that a list lacks.
func TestPartialLists(t *testing.T) {
	ask := browse(t, `{"domains":[],"accounts":[],"aliases":[],"groups":[],"quotas":[],"unread":["shard 5 of 128"]}`)
	for _, path := range []string{"domains", "accounts?domain=a.test", "aliases?domain=a.test", "groups?domain=a.test", "quotas?domain=a.test"} {
		code, text := ask(path)
		if code != http.StatusOK || !strings.Contains(text, "The list is not complete") || !strings.Contains(text, "shard 5 of 128") {
			t.Errorf("%s: %d\n%s", path, code, text)
		}
	}
}

// browse signs in to a console whose API always gives one answer, to requests that accept partial lists where a list is asked for.
func browse(t *testing.T, answer string) (ask func(path string) (code int, text string)) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.URL.Path == "/v1/caller":
			_, _ = w.Write([]byte(`{"id":"x","role":"admin","scopes":["all"]}`))
		case strings.HasPrefix(r.URL.Path, "/v1/domains") && r.URL.Query().Get("partial") != "true":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = w.Write([]byte(answer))
		}
	})
	pages, err := console.New(console.Config{}, api)
	if err != nil {
		t.Fatal(err)
	}
	send := func(r *http.Request, cookie string) *httptest.ResponseRecorder {
		r.Header.Set("Cookie", cookie)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		pages.ServeHTTP(w, r)
		return w
	}
	signedIn := send(httptest.NewRequest(http.MethodPost, "http://localhost/console/signin", strings.NewReader("token=x")), "")
	cookie, _, _ := strings.Cut(signedIn.Header().Get("Set-Cookie"), ";")
	return func(path string) (int, string) {
		w := send(httptest.NewRequest(http.MethodGet, "http://localhost/console/"+path, nil), cookie)
		return w.Code, w.Body.String()
	}
}

// The page Audit shows failed sign-ins of both sites, on request without all other events.
func TestFailedLoginsPage(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	site.UserBrowser(t).Post("/signin", url.Values{"address": {"alice@a.test"}, "password": {"guess99"}})
	site.Browser(t).Post("signin", url.Values{"token": {"guess99"}})
	b := site.Browser(t).SignIn(consoletest.Secret)
	page := b.Get("audit?failed=yes")
	want(t, "failed logins", page, http.StatusOK, "login-failed", "alice@a.test", "wrong_password", "wrong_token", "127.0.0.1", `value="yes" checked`)
	if strings.Contains(page.Body, "add-account") || strings.Contains(page.Body, "guess99") {
		t.Errorf("the page has other events, or a secret:\n%s", page.Body)
	}
	want(t, "an account", b.Get("audit?failed=yes&subject=alice%40a.test"), http.StatusOK, "wrong_password")
	if all := b.Get("audit"); strings.Contains(all.Body, "login-failed") {
		t.Error("the actions of administrators have failed logins")
	}
}
