package clients

import (
	"bytes"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"popelago/adminclient"
	"popelago/integration/browser"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// TestConsole lets Chromium visit every page of the console and of the pages for users, and use every form.
// After each step the page must have no defect, see browser.Page.Defects, in a wide window with light colors
// and in a narrow one with dark colors. With -artifacts the test keeps a picture of each page.
func TestConsole(t *testing.T) {
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
	b := browser.Start(t)
	servertest.OnEachEngine(t, node, func(t *testing.T, on servertest.Setup) { testConsole(t, on, b) })
}

// visitor visits the pages of a server.
type visitor struct {
	t       *testing.T
	server  *servertest.Server
	admin   *adminclient.Client
	browser *browser.Browser
	console string // the URL of the console, with a slash at the end
	users   string // the URL of the pages for users, with a slash at the end
	seen    int
}

// evil is a local-part full of markup, and evilText the same in other texts.
const (
	evil     = `<script>alert(1)</script><img/src=x/onerror=alert(2)>`
	evilText = `"><script>alert(3)</script><img src=x onerror=alert(4)>`
)

func testConsole(t *testing.T, on servertest.Setup, b *browser.Browser) {
	v := &visitor{t: t, browser: b}
	var other *servertest.Server
	if on.Cassandra {
		v.server, other = consolePair(t, on)
	} else {
		v.server = servertest.NewServer(t, consoleSettings(on, "127.0.0.1:0"))
	}
	v.server.Start(t)
	v.admin = v.server.Admin()
	t.Cleanup(v.admin.Close)
	v.console, v.users = "https://"+v.server.API(t)+"/console/", "https://"+v.server.UserPages(t)+"/"

	p := v.browser.Page(t)
	v.signIn(p)
	v.directory(p)
	alice := servertest.Account{Address: "alice@" + servertest.Domain, Password: "secret of alice"}
	v.mail(p, alice)
	v.markup(p)
	v.sessions(p, alice)
	v.tokens(p)
	v.visitUsers(alice)
	if other == nil {
		v.manyAccounts(p)
		v.removal(p)
	} else {
		v.silent(p, other)
	}
	if status := p.Press("Sign out"); status != http.StatusOK {
		t.Errorf("sign out: status %d", status)
	}
	v.open(p, "domains", http.StatusUnauthorized, "Access token")
}

// consoleSettings adds the console at an address to the settings.
func consoleSettings(on servertest.Setup, address string, more ...string) servertest.Setup {
	on.Settings = append(append([]string{
		fmt.Sprintf("admin.listen = %q", address), `admin.console = true`, `userpage.listen = "127.0.0.1:0"`,
		`trace.enabled = true`, `audit.enabled = true`,
	}, on.Settings...), more...)
	return on
}

// consolePair prepares two servers that ask each other, and starts the second.
func consolePair(t *testing.T, on servertest.Setup) (one, two *servertest.Server) {
	authorities := filepath.Join(servertest.PublicDir(t), "authorities.pem")
	prepare := func() *servertest.Server {
		address := servertest.FreeAddress(t)
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		return servertest.NewServer(t, consoleSettings(on, address, fmt.Sprintf("admin.advertise = %q", "https://localhost:"+port),
			`admin.peers = ["localhost"]`, fmt.Sprintf("admin.peers_ca = %q", authorities), `admin.peers_timeout = "10s"`))
	}
	one, two = prepare(), prepare()
	var both bytes.Buffer
	for _, s := range []*servertest.Server{one, two} {
		both.WriteString(servertest.ReadFile(t, s.CA.File))
	}
	servertest.WriteFile(t, authorities, both.String())
	two.Start(t)
	return one, two
}

// see checks the page that is shown.
func (v *visitor) see(p *browser.Page, texts ...string) {
	v.t.Helper()
	p.Has(texts...)
	v.seen++
	for _, look := range []struct {
		name  string
		width int64
		dark  bool
	}{{"wide-light", 1280, false}, {"wide-dark", 1280, true}, {"narrow-light", 360, false}, {"narrow-dark", 360, true}} {
		keep := flag.Lookup("test.artifacts").Value.String() == "true"
		if !keep && look.dark != (look.width == 360) {
			continue
		}
		p.Look(look.width, look.dark)
		for _, defect := range p.Defects() {
			v.t.Errorf("%s, %s: %s", p.Script("location.href"), look.name, defect)
		}
		if keep {
			p.Picture(filepath.Join(v.t.ArtifactDir(), fmt.Sprintf("%02d-%s.png", v.seen, look.name)))
		}
	}
	p.Look(1280, false)
}

// open opens a page of the console, and checks the page.
func (v *visitor) open(p *browser.Page, path string, status int, texts ...string) {
	v.t.Helper()
	if got := p.Open(v.console + path); got != status {
		v.t.Errorf("%s: status %d, want %d", path, got, status)
	}
	v.see(p, texts...)
}

// press presses a link or a button, and checks the page that follows.
func (v *visitor) press(p *browser.Page, name string, status int, texts ...string) {
	v.t.Helper()
	if got := p.Press(name); got != status {
		v.t.Errorf("%s: status %d, want %d; the page:\n%s", name, got, status, p.Text())
	}
	v.see(p, texts...)
}

// recorded waits for events on a page that is shown, and checks the page. An answer waits two seconds for the events of its
// server that are not written yet: on a slow machine the page may lack them at first.
func (v *visitor) recorded(p *browser.Page, texts ...string) {
	v.t.Helper()
	mailtest.WaitFor(v.t, servertest.StartLimit, func() error {
		shown := p.Text()
		for _, text := range texts {
			if !strings.Contains(shown, text) {
				if status := p.Open(p.Script("location.href")); status != http.StatusOK {
					v.t.Fatalf("%s: status %d", p.Script("location.href"), status)
				}
				return fmt.Errorf("the page lacks the event %q:\n%s", text, shown)
			}
		}
		return nil
	})
	v.see(p, texts...)
}

// name returns a path with an address or another text.
func name(path, text string) string { return path + url.QueryEscape(text) }

// signIn signs in, after a refusal, and reaches the page that was asked for.
func (v *visitor) signIn(p *browser.Page) {
	made, err := v.admin.AddToken(servertest.Deadline(v.t, servertest.StartLimit), adminclient.NewToken{Role: "admin", Scopes: []string{"all"}, Lifetime: "1d"})
	if err != nil {
		v.t.Fatal(err)
	}
	v.open(p, "domains", http.StatusUnauthorized, "Access token")
	if p.Open(v.console + "domains"); p.Focused() == "" { // the field has the focus; Tab leads to the button
		v.t.Error("Tab leads to nothing")
	}
	p.Fill("Access token", evilText)
	v.press(p, "Sign in", http.StatusUnauthorized, "The server refuses the token")
	p.Fill("Access token", made.Secret)
	v.press(p, "Sign in", http.StatusOK, "No domain is here", "Add a domain")
	if first := p.Focused(); first != "Skip to the content" {
		v.t.Errorf("Tab leads first to %q", first)
	}
	v.open(p, "", http.StatusOK, "Live: ", "Background jobs", "Drain")
	v.open(p, "nothing", http.StatusNotFound, "There is no such thing")
}

// directory makes and changes domains, accounts, aliases and groups.
func (v *visitor) directory(p *browser.Page) {
	v.open(p, "domains", http.StatusOK)
	p.Fill("Name", servertest.Domain)
	v.press(p, "Add", http.StatusOK, "It was made.", servertest.Domain)
	v.open(p, "domains", http.StatusOK, servertest.Domain)
	v.press(p, servertest.Domain, http.StatusOK, "Keeping of mail")
	p.Fill("Retention", "300d")
	v.press(p, "Change", http.StatusOK, "The change was made.")
	p.Fill("quota_messages", "5000")
	v.press(p, "Change settings", http.StatusOK, "The change was made.")
	p.Fill("quota_messages", "many")
	v.press(p, "Change settings", http.StatusBadRequest, "The form cannot be used")

	v.open(p, name("accounts?domain=", servertest.Domain), http.StatusOK, "No account is selected")
	for _, local := range []string{"alice", "bob", evil} {
		p.Fill("Address", local+"@"+servertest.Domain)
		p.Fill("Password", "secret of "+local)
		v.press(p, "Make", http.StatusOK, "It was made.", local+"@"+servertest.Domain)
		if local == "bob" {
			v.account(p)
		}
		v.press(p, servertest.Domain, http.StatusOK, "Make an account")
	}
	p.Fill("Address", "alice")
	p.Fill("Password", "secret of alice")
	v.press(p, "Make", http.StatusConflict, "already exists")
	v.open(p, name("accounts?domain=", servertest.Domain), http.StatusOK)
	p.Fill("Begins with", "al")
	p.Tick("with their use")
	v.press(p, "Search", http.StatusOK, "alice@", "Messages")

	v.open(p, name("aliases?domain=", servertest.Domain), http.StatusOK, "The domain has no alias")
	p.Fill("Address", "sales")
	p.Fill("Target", "alice@"+servertest.Domain)
	v.press(p, "Make", http.StatusOK, "It was made.")
	p.Fill("New target", "bob@"+servertest.Domain)
	v.press(p, "Change", http.StatusOK, "The change was made.", "bob@"+servertest.Domain)
	v.press(p, "Aliases of", http.StatusOK, "sales@")
	v.open(p, name("groups?domain=", servertest.Domain), http.StatusOK, "The domain has no group")
	p.Fill("Address", "team")
	p.Fill("Members", "alice@"+servertest.Domain+"\nsales@"+servertest.Domain+"\n")
	v.press(p, "Make", http.StatusOK, "It was made.")
	p.Fill("New member", "nobody@"+servertest.Domain)
	v.press(p, "Add", http.StatusConflict, "This is not possible now")
	v.open(p, name("group?address=", "team@"+servertest.Domain), http.StatusOK)
	p.Fill("New member", "bob@"+servertest.Domain)
	v.press(p, "Add", http.StatusOK, "The change was made.")
	v.press(p, "Take out bob@", http.StatusOK, "The change was made.")
	v.press(p, "Way of its mail", http.StatusOK, "accepted", "alice@", "bob@")
	v.open(p, name("groups?domain=", servertest.Domain), http.StatusOK, "team@")
	p.Fill("Address or domain", "team@"+servertest.Domain)
	v.press(p, "Find", http.StatusOK, "Way of the mail")
	v.open(p, name("quotas?domain=", servertest.Domain)+"&above=0", http.StatusOK, "Use of quotas")
}

// account changes the account of bob, whose page is shown.
func (v *visitor) account(p *browser.Page) {
	p.Fill("Retention", "30d")
	v.press(p, "Change retention", http.StatusOK, "The change was made.", "30d")
	p.Fill("New password", "another secret")
	v.press(p, "Change password", http.StatusOK, "The password was changed.")
	p.Fill("quota_messages", "10")
	v.press(p, "Change settings", http.StatusOK, "The change was made.", "10 messages")
	v.press(p, "Disable", http.StatusOK, "The account is disabled")
	v.press(p, "Enable", http.StatusOK, "A disabled account accepts")
	p.Fill("New address", "robert@"+servertest.Domain)
	v.press(p, "Rename", http.StatusOK, "robert@"+servertest.Domain)
	p.Fill("New address", "bob@"+servertest.Domain)
	v.press(p, "Rename", http.StatusOK, "bob@"+servertest.Domain)
	v.open(p, name("alias?address=", "robert@"+servertest.Domain), http.StatusOK)
	p.Tick("Yes, remove this alias")
	v.press(p, "Remove the alias", http.StatusOK, "It was removed.", "The domain has no alias")
	v.open(p, name("account?address=", "bob@"+servertest.Domain), http.StatusOK)
}

// mail follows a message: maildrop, header, removal, restore, trace and audit.
func (v *visitor) mail(p *browser.Page, alice servertest.Account) {
	evilAccount := servertest.Account{Address: `"` + evil + `"@` + servertest.Domain, Password: "secret of " + evil}
	to := []servertest.Account{alice, evilAccount}
	c := v.server.LMTPSession(v.t)
	for n := range 3 {
		servertest.Send(v.t, c, servertest.Sender("console"), to, fmt.Appendf(nil, "Message-ID: <%d@console.test>\r\nFrom: %s <x@y.test>\r\nSubject: %s\r\nX-Long: %s\r\n\r\nText.\r\n",
			n, evilText, evilText, strings.Repeat("long", 200)))
	}
	c.Close()
	v.open(p, name("account?address=", alice.Address), http.StatusOK, "3, ")
	v.press(p, "Maildrop", http.StatusOK, "Unique-id")
	uidl := v.server.Maildrop(v.t, alice)[0].UIDL
	v.press(p, uidl, http.StatusOK, evilText, "This look was logged", "X-Long")
	v.press(p, "Trace of the message", http.StatusOK, uidl, "Records are kept for 30 days")
	v.recorded(p, "accepted", "retrieved", "LMTP", "0@console.test")

	pop := v.server.Login(v.t, alice)
	pop.Do("DELE 1", "+OK")
	pop.Do("DELE 2", "+OK")
	pop.Do("QUIT", "+OK")
	pop.Close()
	v.open(p, name("removed?address=", alice.Address), http.StatusOK, uidl)
	p.Tick("Restore " + uidl)
	v.press(p, "Restore the selected", http.StatusOK, "1 message restored")
	v.press(p, "Restore all", http.StatusOK, "1 message restored", "No removed message can be restored")

	v.open(p, "trace", http.StatusOK, "Message or address")
	p.Fill("Message or address", "<0@console.test>")
	p.Choose("Kind", "Message-ID")
	p.Fill("Since", "2h")
	v.press(p, "Search", http.StatusOK)
	v.recorded(p, "accepted", "removed", "retrieved", alice.Address)
	p.Fill("Since", "never")
	v.press(p, "Search", http.StatusBadRequest, "neither an age such as 2h")
	p.Fill("Since", "")
	p.Fill("Message or address", "nobody@"+servertest.Domain)
	p.Choose("Kind", "by its form")
	v.press(p, "Search", http.StatusOK, "No event was found")

	v.open(p, "audit", http.StatusOK)
	v.recorded(p, "add-domain", "add-account")
	p.Fill("Account or domain", "bob@"+servertest.Domain)
	v.press(p, "Search", http.StatusOK)
	v.recorded(p, "set-account-settings", "settings.quota_messages new: 10", "from enabled to disabled")
	v.open(p, name("account?address=", alice.Address), http.StatusOK)
	v.press(p, "Audit", http.StatusOK)
	v.recorded(p, "login", "show-header", "restore-messages", "POP3")
	v.open(p, name("account?address=", alice.Address), http.StatusOK)
	v.press(p, "Trace", http.StatusOK)
	v.recorded(p, "login", "accepted")
}

// markup visits the pages of an account with a name full of markup. A script that runs is a defect.
func (v *visitor) markup(p *browser.Page) {
	address := evil + "@" + servertest.Domain
	v.open(p, name("accounts?domain=", servertest.Domain), http.StatusOK, address)
	v.press(p, address, http.StatusOK, address)
	for _, path := range []string{"account", "maildrop", "removed", "find"} {
		v.open(p, name(path+"?address=", address), http.StatusOK, address)
	}
	v.open(p, name("trace?as=address&subject=", address), http.StatusOK, address)
	v.recorded(p, "accepted")
	v.open(p, name("audit?subject=", address), http.StatusOK, address)
	v.recorded(p, "add-account")
	v.open(p, name("trace?subject=", evilText), http.StatusBadRequest)
	v.open(p, name("audit?subject=", evilText), http.StatusBadRequest)
	v.open(p, name("account?address=", evilText), http.StatusBadRequest, "The form cannot be used")
	v.open(p, name("quotas?domain=", servertest.Domain)+"&above=0", http.StatusOK, "Use of quotas")
	if text := p.Script("String(document.querySelectorAll('main script, main img').length)"); text != "0" {
		v.t.Errorf("%s elements came from a name", text)
	}
}

// sessions ends sessions, and runs a job.
func (v *visitor) sessions(p *browser.Page, alice servertest.Account) {
	one, two := v.server.Login(v.t, alice), v.server.Login(v.t, servertest.Account{Address: "bob@" + servertest.Domain, Password: "another secret"})
	defer one.Close()
	defer two.Close()
	v.open(p, "sessions", http.StatusOK, alice.Address, "bob@"+servertest.Domain)
	p.Fill("Account or @domain", alice.Address)
	v.press(p, "Search", http.StatusOK, alice.Address)
	v.press(p, "Disconnect session", http.StatusOK, "1 session told to end")
	v.open(p, name("sessions?user=", "bob@"+servertest.Domain), http.StatusOK, "bob@"+servertest.Domain)
	p.Tick("Yes, disconnect them")
	v.press(p, "Disconnect", http.StatusOK, "1 session told to end")
	v.open(p, "sessions", http.StatusOK)

	v.open(p, "tasks", http.StatusOK, "reap")
	v.press(p, "Run now reap", http.StatusOK, "The run was requested.")

	v.open(p, "", http.StatusOK, "The server is in service")
	p.Tick("Yes, take this server out of service")
	v.press(p, "Drain", http.StatusOK, "Put back into service")
	v.press(p, "Put back into service", http.StatusOK, "in service again")
}

// tokens makes a token for one domain, signs in with it, and revokes it.
func (v *visitor) tokens(p *browser.Page) {
	v.open(p, "tokens", http.StatusOK, "yours")
	p.Choose("Role", "operator")
	p.Fill("Scopes", servertest.Domain)
	p.Fill("Lifetime", "1h")
	p.Fill("Note", evilText)
	v.press(p, "Make", http.StatusOK, "Copy its secret now", "domain:"+servertest.Domain, evilText)
	secret := p.Script("document.querySelector('code.secret').textContent")
	id := p.Script("document.querySelector('.notice strong').textContent.split(' ')[2]")

	scoped := v.browser.Page(v.t)
	scoped.Open(v.console + "signin")
	scoped.Fill("Access token", secret)
	v.press(scoped, "Sign in", http.StatusOK, servertest.Domain, "domain:"+servertest.Domain)
	for link, want := range map[string]string{"tasks": "0", "audit": "0", "tokens": "0", "trace": "1", "sessions": "1"} {
		if n := scoped.Script("String(document.querySelectorAll('nav a[href$=\"/" + link + "\"]').length)"); n != want {
			v.t.Errorf("a token for a domain sees %s links to %s, want %s", n, link, want)
		}
	}
	v.open(scoped, "tokens", http.StatusForbidden, "You may not do this")

	p.Unfold("Revoke " + id)
	p.Tick("Yes, permanently")
	v.press(p, "Revoke", http.StatusOK, "The token was revoked")
	p.Tick("with revoked and expired tokens")
	v.press(p, "Show", http.StatusOK, "revoked", id)
	v.open(scoped, "domains", http.StatusUnauthorized, "Your session has ended")
}

// visitUsers visits the pages for users.
func (v *visitor) visitUsers(alice servertest.Account) {
	pop := v.server.Login(v.t, alice)
	pop.Do("DELE 1", "+OK")
	pop.Do("QUIT", "+OK")
	pop.Close()
	pop = v.server.Login(v.t, alice)
	defer pop.Close()
	p := v.browser.Page(v.t)
	if status := p.Open(v.users); status != http.StatusUnauthorized {
		v.t.Errorf("signed out: status %d", status)
	}
	v.see(p, "Password")
	p.Fill("Address", alice.Address)
	p.Fill("Password", "a guess")
	v.press(p, "Sign in", http.StatusUnauthorized, "The address or the password is wrong.")
	p.Fill("Address", alice.Address)
	p.Fill("Password", alice.Password)
	v.press(p, "Sign in", http.StatusOK, alice.Address, "Your messages expire after 300d", "127.0.0.1")
	v.press(p, "Disconnect all", http.StatusOK, "1 connection told to end")
	v.press(p, "Removed messages", http.StatusOK, "Restore all")
	v.press(p, "Restore all", http.StatusOK, "1 message restored", "No removed message can be restored")
	v.press(p, "My mail", http.StatusOK)
	p.Fill("Present password", alice.Password)
	p.Fill("New password", "a new secret")
	p.Fill("New password again", "another one")
	v.press(p, "Change the password", http.StatusBadRequest, "differ")
	v.press(p, "To the first page", http.StatusOK)
	p.Fill("Present password", alice.Password)
	p.Fill("New password", "a new secret")
	p.Fill("New password again", "a new secret")
	v.press(p, "Change the password", http.StatusOK, "The password was changed.")
	p.Open(v.users + "nothing")
	v.see(p, "There is no such thing")
	v.press(p, "Sign out", http.StatusOK, "Password")
}

// manyAccounts makes more accounts than a page has.
func (v *visitor) manyAccounts(p *browser.Page) {
	const many, onPage = 120, 50
	for n := range many {
		v.server.Account(v.t, fmt.Sprintf("many%03d", n))
	}
	first := name("accounts?domain=", servertest.Domain) + "&prefix=many"
	v.open(p, first, http.StatusOK, "many000@", "Next page")
	rows := func() string { return p.Script("String(document.querySelectorAll('tbody tr').length)") }
	for page, want := range []int{onPage, onPage, many - 2*onPage} {
		if got := rows(); got != fmt.Sprint(want) {
			v.t.Errorf("page %d has %s accounts, want %d", page, got, want)
		}
		if page < 2 {
			v.press(p, "Next page", http.StatusOK, fmt.Sprintf("many%03d@", (page+1)*onPage), "First page")
		}
	}
}

// removal removes an account, a group and, in vain, a domain.
func (v *visitor) removal(p *browser.Page) {
	v.open(p, name("group?address=", "team@"+servertest.Domain), http.StatusOK)
	p.Tick("Yes, remove this group")
	v.press(p, "Remove the group", http.StatusOK, "It was removed.")
	v.open(p, name("account?address=", evil+"@"+servertest.Domain), http.StatusOK)
	p.Tick("Yes, remove this account and its messages")
	v.press(p, "Remove the account", http.StatusOK, "It was removed.")
	v.open(p, name("account?address=", evil+"@"+servertest.Domain), http.StatusNotFound, "There is no such thing")
	v.open(p, name("domain?name=", servertest.Domain), http.StatusOK)
	p.Tick("Yes, stop hosting this domain")
	v.press(p, "Remove the domain", http.StatusConflict, "still has accounts")
}

// silent stops a server without ending it. The pages about all servers name the server.
func (v *visitor) silent(p *browser.Page, other *servertest.Server) {
	mailtest.WaitFor(v.t, servertest.StartLimit, func() error { // its first heartbeat
		list, err := v.admin.Servers(servertest.Deadline(v.t, servertest.StartLimit))
		if err == nil && len(list.Servers) != 2 {
			err = fmt.Errorf("the servers are %+v", list.Servers)
		}
		return err
	})
	other.Proc.Signal(syscall.SIGSTOP)
	for _, path := range []string{"", "tasks", "sessions"} {
		v.open(p, path, http.StatusOK, "Not every server has answered", "did not answer")
	}
	other.Proc.Signal(syscall.SIGCONT)
}
