package console_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/console/consoletest"
	"popelago/mail"
	"popelago/store"
)

func TestDomainForms(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	wantDone(t, "add", b, b.Post("domains", url.Values{"name": {" Bücher.example "}}), "xn--bcher-kva.example", "It was made.")
	want(t, "add again", b.Post("domains", url.Values{"name": {"a.test"}}), http.StatusConflict, "already exists", "This is not possible now")

	page := b.Get("domain?name=a.test")
	form := url.Values{"name": {"a.test"}, "tag": {field(t, page, "tag")}, "was:retention": {field(t, page, "was:retention")}, "retention": {"30d"}, "was:durability": {"default"}, "durability": {"default"}}
	wantDone(t, "keeping", b, b.Post("domain/keeping", form), `value="30d"`)
	want(t, "keeping with the old tag", b.Post("domain/keeping", form), http.StatusPreconditionFailed, "It was changed meanwhile", "Nothing was changed")

	page = b.Get("domain?name=a.test")
	wantDone(t, "settings", b, b.Post("domain/settings", url.Values{
		"name": {"a.test"}, "tag": {field(t, page, "tag")}, "set:catch_all": {"alice@a.test"}, "was:catch_all": {""}, "set:delimiter": {""}, "was:delimiter": {""},
	}), `value="alice@a.test"`)
	settings, err := site.API.DomainSettings(t.Context(), "a.test")
	if err != nil || len(settings.Settings) != 2 || settings.Settings["retention"] != "30d" || settings.Settings["catch_all"] != "alice@a.test" {
		t.Errorf("settings %v, %v", settings.Settings, err)
	}
	want(t, "a bad setting", b.Post("domain/settings", url.Values{"name": {"a.test"}, "set:deliver": {"perhaps"}, "was:deliver": {""}}), http.StatusBadRequest, "deliver")
	want(t, "remove unsure", b.Post("domain/remove", url.Values{"name": {"a.test"}}), http.StatusBadRequest, "tick the box")
	want(t, "remove with accounts", b.Post("domain/remove", url.Values{"name": {"a.test"}, "sure": {"yes"}}), http.StatusConflict, "still has accounts")
	wantDone(t, "remove", b, b.Post("domain/remove", url.Values{"name": {"xn--bcher-kva.example"}, "sure": {"yes"}}), "It was removed.")
	want(t, "removed", b.Get("domain?name=xn--bcher-kva.example"), http.StatusNotFound, "There is no such thing")
}

func TestAccountForms(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(token(t, site, "operator", "1h", "domain:a.test").Secret)
	wantDone(t, "make", b, b.Post("accounts", url.Values{"domain": {"a.test"}, "address": {"carol"}, "password": {"secret word"}}), "carol@a.test")
	want(t, "weak password", b.Post("accounts", url.Values{"domain": {"a.test"}, "address": {"dave"}, "password": {"x"}}), http.StatusBadRequest, "password")
	want(t, "other domain", b.Post("accounts", url.Values{"domain": {"a.test"}, "address": {"dave@b.test"}, "password": {"secret word"}}), http.StatusForbidden)
	form := func(more ...string) url.Values {
		v := url.Values{"address": {"carol@a.test"}, "tag": {field(t, b.Get("account?address=carol%40a.test"), "tag")}}
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	stale := form("password", "another secret")
	wantDone(t, "password", b, b.Post("account/password", stale), "The password was changed.")
	want(t, "stale tag", b.Post("account/password", stale), http.StatusPreconditionFailed)
	wantDone(t, "retention", b, b.Post("account/retention", form("retention", "7d")), `value="7d"`)
	wantDone(t, "disable", b, b.Post("account/state", form("state", "disabled")), "The account is disabled")
	wantDone(t, "enable", b, b.Post("account/state", form("state", "enabled")), ">enabled<")
	want(t, "a setting for all rights", b.Post("account/settings", form("set:pop3", "off", "was:pop3", "")), http.StatusForbidden, "You may not do this")
	wantDone(t, "rename", b, b.Post("account/rename", form("to", "caroline@a.test")), "<h1>caroline@a.test</h1>")
	want(t, "find", b.Get("find?address=carol%40a.test"), http.StatusOK, "alias", `href="account?address=caroline%40a.test"`)
	if a := b.Get("find?address=a.test"); a.Header.Get("Location") != "/console/domain?name=a.test" {
		t.Errorf("find a domain: %d %s", a.Status, a.Header.Get("Location"))
	}
	want(t, "remove unsure", b.Post("account/remove", url.Values{"address": {"caroline@a.test"}}), http.StatusBadRequest)
	wantDone(t, "remove", b, b.Post("account/remove", url.Values{"address": {"caroline@a.test"}, "sure": {"yes"}}), "It was removed.")
	want(t, "removed", b.Get("account?address=caroline%40a.test"), http.StatusNotFound)
	if _, err := site.API.PutMessage(t.Context(), "alice@a.test", "", strings.NewReader("Subject: x\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	b = site.Browser(t).SignIn(consoletest.Secret)
	wantDone(t, "quota", b, b.Post("account/settings", url.Values{"address": {"alice@a.test"}, "set:quota_messages": {"1"}, "was:quota_messages": {""}}))
	want(t, "quota bar", b.Get("account?address=alice%40a.test"), http.StatusOK, `value="100"`, "100%", "1 messages")
	want(t, "quotas", b.Get("quotas?domain=a.test&above=80"), http.StatusOK, "alice@a.test", "<meter")
}

// Names of strangers are texts in every page, and their links lead back to them.
func TestAwkwardNames(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	for _, local := range []string{
		`<script>alert(1)</script>`, `"><img/src=x>`, "o'hara", "a/b", "a%2Fb", "50%", "x#y:1", "ünï?", "..", "a+b&c=d", "日本", `{{.}}`,
	} {
		account, err := site.API.AddAccount(t.Context(), local+"@a.test", "secret word")
		if err != nil { // a local-part that needs quotes
			if account, err = site.API.AddAccount(t.Context(), fmt.Sprintf("%q@a.test", local), "secret word"); err != nil {
				t.Errorf("%s: %v", local, err)
				continue
			}
		}
		address := account.Address
		put, err := site.API.PutMessage(t.Context(), address, "", strings.NewReader("From: <script>alert(2)</script> <x@y.test>\r\nSubject: <b>bold</b> \"quoted\"\r\nX-Evil: \"><script>alert(3)</script>\r\n\r\nx\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		list := b.Get("accounts?domain=a.test")
		link := linkTo(list.Body, "account?address=", address)
		if link == "" {
			t.Errorf("no link leads to %s:\n%s", address, list.Body)
			continue
		}
		page := b.Get(link)
		if want(t, address, page, http.StatusOK); !strings.Contains(html.UnescapeString(page.Body), "<h1>"+address+"</h1>") {
			t.Errorf("the page of %s has another title:\n%s", address, page.Body)
		}
		drop := b.Get(linkTo(page.Body, "maildrop?address=", address))
		want(t, address+": maildrop", drop, http.StatusOK, put.UniqueID)
		message := b.Get(linkTo(drop.Body, "message?address=", address))
		want(t, address+": message", message, http.StatusOK, "&lt;b&gt;bold&lt;/b&gt;", "X-Evil")
		for _, a := range []consoletest.Answer{list, page, drop, message, b.Get(linkTo(page.Body, "find?address=", address)), b.Get("find?address=" + url.QueryEscape(address))} {
			for _, raw := range []string{"<script>alert", "<img", "<b>bold"} {
				if strings.Contains(a.Body, raw) {
					t.Errorf("%s: the page has %q as markup", address, raw)
				}
			}
		}
		form := url.Values{"address": {address}, "tag": {field(t, page, "tag")}, "state": {"disabled"}}
		wantDone(t, address+": disable", b, b.Post("account/state", form), "The account is disabled")
	}
	want(t, "an error with markup", b.Get("account?address="+url.QueryEscape("<i>x</i>")), http.StatusBadRequest)
}

// linkTo returns the link of a page that begins with prefix and names an address.
func linkTo(body, prefix, address string) string {
	for _, part := range strings.Split(body, `href="`)[1:] {
		link := html.UnescapeString(part[:strings.IndexByte(part, '"')])
		rest, ok := strings.CutPrefix(link, prefix)
		if !ok {
			continue
		}
		q, err := url.ParseQuery("address=" + rest)
		if err == nil && q.Get("address") == address {
			return link
		}
	}
	return ""
}

func TestPaging(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	for i := range 120 {
		if _, err := site.API.AddAccount(t.Context(), fmt.Sprintf("user%03d@b.test", i), "secret word"); err != nil {
			t.Fatal(err)
		}
		if _, err := site.API.PutMessage(t.Context(), "alice@a.test", "", strings.NewReader("Subject: x\r\n\r\nx\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	for first, rows := range map[string]int{"accounts?domain=b.test&state=enabled": 121, "maildrop?address=alice%40a.test": 120} {
		if seen, n := allPages(t, b, first); len(seen) != rows || n != 3 {
			t.Errorf("%s: %d rows on %d pages, want %d on 3", first, len(seen), n, rows)
		}
	}
}

// allPages follows the links to the next page of a list, and returns its rows and the number of pages.
func allPages(t *testing.T, b *consoletest.Browser, first string) (seen map[string]bool, n int) {
	t.Helper()
	seen = map[string]bool{}
	name, _, _ := strings.Cut(first, "?")
	for path := first; path != ""; n++ {
		a := b.Get(path)
		want(t, path, a, http.StatusOK)
		if hasFirst := regexp.MustCompile(`href="` + regexp.QuoteMeta(strings.TrimPrefix(name, "/")) + `[^"]*">(First page|Newest events)<`).MatchString(a.Body); hasFirst != (n > 0) {
			t.Errorf("page %d, %s, has a link to the first page: %v", n, path, hasFirst)
		}
		for _, row := range strings.Split(a.Body, "<tr>")[1:] {
			if strings.Contains(row, `<th scope="row"`) {
				seen[row[:strings.Index(row, "</tr>")]] = true
			}
		}
		path = nextPage(a.Body)
		if path != "" && strings.HasPrefix(first, "/") {
			path = "/" + path
		}
	}
	return seen, n
}

// nextPage returns the link of a page to the next one; empty: none.
func nextPage(body string) string {
	before, _, ok := strings.Cut(body, `" rel="next"`)
	if !ok {
		return ""
	}
	return html.UnescapeString(before[strings.LastIndex(before, `href="`)+len(`href="`):])
}

// The removed messages beyond the first page are shown, and restored, in the console and on the page of users.
func TestManyRemovedMessages(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	const messages = 403
	for range messages {
		if _, err := site.API.PutMessage(t.Context(), "alice@a.test", "", strings.NewReader("Subject: x\r\n\r\nx\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := site.API.RemoveMessages(t.Context(), "alice@a.test", adminclient.MaildropRemoval{All: true}); err != nil {
		t.Fatal(err)
	}
	left := messages
	for first, b := range map[string]*consoletest.Browser{
		"removed?address=alice%40a.test": site.Browser(t).SignIn(consoletest.Secret), "/removed": user(t, site, "alice@a.test", "secret word"),
	} {
		if seen, n := allPages(t, b, first); len(seen) != left || n != 3 {
			t.Errorf("%s: %d rows on %d pages, want %d on 3", first, len(seen), n, left)
		}
		second := nextPage(b.Get(first).Body)
		if strings.HasPrefix(first, "/") {
			second = "/" + second
		}
		page := b.Get(second)
		want(t, second, page, http.StatusOK, "also of other pages")
		path, _, _ := strings.Cut(first, "?")
		form := url.Values{"address": {"alice@a.test"}, "after": {field(t, page, "after")}, "uniqueId": {field(t, page, "uniqueId")}}
		restored := b.Post(path, form)
		want(t, "restore on the second page", restored, http.StatusOK, "1 message restored", `name="after" value="`+form.Get("after")+`"`)
		if strings.Contains(restored.Body, `value="`+form.Get("uniqueId")+`"`) {
			t.Errorf("%s shows the restored message", second)
		}
		left--
	}
	if left != messages-2 {
		t.Error("no message was restored")
	}
}

func TestUndelete(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	var ids []string
	for range 3 {
		put, err := site.API.PutMessage(t.Context(), "alice@a.test", "", strings.NewReader("Subject: x\r\n\r\nx\r\n"))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, put.UniqueID)
	}
	if _, err := site.API.RemoveMessages(t.Context(), "alice@a.test", adminclient.MaildropRemoval{All: true}); err != nil {
		t.Fatal(err)
	}
	want(t, "removed", b.Get("removed?address=alice%40a.test"), http.StatusOK, ids[0], ids[1], ids[2])
	form := url.Values{"address": {"alice@a.test"}, "uniqueId": {ids[1]}}
	want(t, "restore", b.Post("removed", form), http.StatusOK, "1 message restored", ids[0])
	want(t, "restore again", b.Post("removed", form), http.StatusOK, "1 in the maildrop already")
	want(t, "restore all", b.Post("removed", url.Values{"address": {"alice@a.test"}, "all": {"yes"}}), http.StatusOK, "2 messages restored", "No removed message")
	want(t, "restore nothing", b.Post("removed", url.Values{"address": {"alice@a.test"}}), http.StatusBadRequest)
	a := b.Get("maildrop?address=alice%40a.test")
	want(t, "maildrop", a, http.StatusOK, ids[0], ids[1], ids[2])
	want(t, "message", b.Get("message?address=alice%40a.test&uniqueId="+ids[0]), http.StatusOK, "Subject")
	want(t, "no message", b.Get("message?address=alice%40a.test&uniqueId=none"), http.StatusNotFound)
}

func TestAliasForms(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(token(t, site, "operator", "1h", "domain:a.test").Secret)
	page := wantDone(t, "make", b, b.Post("aliases", url.Values{"domain": {"a.test"}, "address": {"info"}, "target": {"alice@a.test"}}), "<h1>info@a.test</h1>")
	form := url.Values{"address": {"info@a.test"}, "tag": {field(t, page, "tag")}, "target": {"sales@a.test"}}
	wantDone(t, "target", b, b.Post("alias/target", form), "sales@a.test")
	want(t, "stale", b.Post("alias/target", form), http.StatusPreconditionFailed)
	form.Set("target", "bob@b.test")
	want(t, "a target elsewhere", b.Post("alias/target", form), http.StatusForbidden)
	want(t, "remove unsure", b.Post("alias/remove", url.Values{"address": {"info@a.test"}}), http.StatusBadRequest)
	wantDone(t, "remove", b, b.Post("alias/remove", url.Values{"address": {"info@a.test"}, "sure": {"yes"}}), "It was removed.")
	want(t, "removed", b.Get("alias?address=info%40a.test"), http.StatusNotFound)

	page = wantDone(t, "make a group", b, b.Post("groups", url.Values{"domain": {"a.test"}, "address": {"all"}, "members": {"alice@a.test\r\nsales@a.test"}}), "<h1>all@a.test</h1>")
	page = wantDone(t, "member", b, b.Post("group/add", url.Values{"address": {"all@a.test"}, "tag": {field(t, page, "tag")}, "member": {"team@a.test"}}), "team@a.test")
	page = wantDone(t, "take out", b, b.Post("group/drop", url.Values{"address": {"all@a.test"}, "tag": {field(t, page, "tag")}, "member": {"sales@a.test"}}))
	if strings.Contains(page.Body, "sales@a.test") {
		t.Errorf("the member stays:\n%s", page.Body)
	}
	want(t, "remove unsure", b.Post("group/remove", url.Values{"address": {"all@a.test"}}), http.StatusBadRequest)
	wantDone(t, "remove", b, b.Post("group/remove", url.Values{"address": {"all@a.test"}, "sure": {"yes"}}), "It was removed.")
}

func TestTokenForms(t *testing.T) {
	site := newSite(t, consoletest.Setup{})
	b := site.Browser(t).SignIn(consoletest.Secret)
	a := b.Post("tokens", url.Values{"role": {"read-only"}, "scopes": {"a.test domain:b.test"}, "lifetime": {"1h"}, "note": {"<b>for</b> tests"}})
	want(t, "make", a, http.StatusOK, "Copy its secret now", "read-only, domain:a.test, domain:b.test", "&lt;b&gt;for&lt;/b&gt; tests")
	_, rest, _ := strings.Cut(a.Body, `<code class="secret">`)
	secret, _, _ := strings.Cut(rest, "<")
	other := site.Browser(t).SignIn(secret)
	want(t, "with the token", other.Get("domains"), http.StatusOK, "b.test")
	want(t, "tokens with the token", other.Get("tokens"), http.StatusForbidden)
	if strings.Contains(b.Get("tokens").Body, secret) {
		t.Error("a second look shows the secret")
	}
	id := field(t, a, "id")
	want(t, "revoke unsure", b.Post("tokens/revoke", url.Values{"id": {id}}), http.StatusBadRequest)
	wantDone(t, "revoke", b, b.Post("tokens/revoke", url.Values{"id": {id}, "sure": {"yes"}}), "The token was revoked, in every datacenter.", "No token is here")
	want(t, "revoked", other.Get("domains"), http.StatusUnauthorized)
	want(t, "all", b.Get("tokens?all=yes"), http.StatusOK, ">revoked<")
	want(t, "bad lifetime", b.Post("tokens", url.Values{"role": {"admin"}, "scopes": {"all"}, "lifetime": {"soon"}}), http.StatusBadRequest, "soon")
}

// A domain with 100,000 accounts has pages of a few rows. A search finds the last account, and the lists of aliases and groups
// the entry behind all accounts.
func TestManyAccounts(t *testing.T) {
	var directory store.Directory
	site := newSite(t, consoletest.Setup{
		Wrap: func(st store.Store) store.Store { directory = st.Directory.Local; return st },
	})
	many := 100_000
	if testing.Short() {
		many = 1000
	}
	kind, state, created := store.KindAccount, store.StateEnabled, time.Now()
	for i := range many {
		address := mail.Address{Local: fmt.Sprintf("user%06d", i), Domain: "b.test"}
		if err := directory.ChangeAddress(t.Context(), address, mail.MessageID{}, store.AddressChange{Kind: &kind, State: &state, Created: &created}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := site.API.AddAlias(t.Context(), "zalias@b.test", "bob@b.test"); err != nil {
		t.Fatal(err)
	}
	if _, err := site.API.AddGroup(t.Context(), "zgroup@b.test", []string{"bob@b.test"}); err != nil {
		t.Fatal(err)
	}
	b := site.Browser(t).SignIn(consoletest.Secret)
	last := fmt.Sprintf("user%06d", many-1)
	for path, rows := range map[string]int{
		"accounts?domain=b.test": 50, "accounts?domain=b.test&use=yes": 50, "accounts?domain=b.test&after=user000900": 50, "accounts?domain=b.test&prefix=" + last: 1,
		"quotas?domain=b.test&above=0": 500, "aliases?domain=b.test": 1, "groups?domain=b.test": 1,
	} {
		a := b.Get(path)
		want(t, path, a, http.StatusOK)
		if n := strings.Count(a.Body, `<th scope="row"`); n != rows || len(a.Body) > 1<<20 {
			t.Errorf("%s: %d rows, %d octets, want %d rows", path, n, len(a.Body), rows)
		}
		if next := strings.Contains(a.Body, `rel="next"`); next != (rows > 1) {
			t.Errorf("%s: a next page: %v", path, next)
		}
	}
}
