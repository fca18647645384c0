package admin_test

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"popelago/account"
	"popelago/admin"
	"popelago/adminclient"
	"popelago/store"
)

// serve serves the API over HTTP, as for other machines.
func (f *fixture) serve(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(f.handler)
	t.Cleanup(srv.Close)
	return srv.URL
}

func client(t *testing.T, url, secret string) *adminclient.Client {
	t.Helper()
	c, err := adminclient.HTTP(url, secret)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// made makes a token and returns a client with it.
func made(t *testing.T, url string, by *adminclient.Client, role string, scopes ...string) (*adminclient.Client, adminclient.MadeToken) {
	t.Helper()
	m, err := by.AddToken(t.Context(), adminclient.NewToken{Role: role, Scopes: scopes, Lifetime: "1h", Note: "for a test"})
	if err != nil {
		t.Fatal(err)
	}
	return client(t, url, m.Secret), m
}

// Every operation declares its right, with fields that its requests have.
func TestEveryOperationHasItsRight(t *testing.T) {
	f := new(fixture).start(t)
	dir, err := account.New(account.Config{}, store.Single(f.engine).Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	undeclared, leftOver, err := admin.Undeclared(admin.Config{}, dir, store.Single(f.engine))
	if err != nil || len(undeclared) > 0 || len(leftOver) > 0 {
		t.Errorf("without a right in right.go, or with fields that the request lacks: %q; rights without an operation: %q; %v", undeclared, leftOver, err)
	}
}

// addTwoDomains adds a.test and b.test, each with the account alice.
func addTwoDomains(t *testing.T, root *adminclient.Client) {
	t.Helper()
	for _, domain := range []string{"a.test", "b.test"} {
		if _, err := root.AddDomain(t.Context(), domain); err != nil {
			t.Fatal(err)
		}
		if _, err := root.AddAccount(t.Context(), "alice@"+domain, "secret word"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoles(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	ctx := t.Context()
	root := client(t, url, "configured-secret")
	addTwoDomains(t, root)
	// What each caller may do. The steps change nothing that a later one needs.
	steps := []struct {
		name string
		do   func(c *adminclient.Client) error
	}{
		{"list accounts", func(c *adminclient.Client) error { _, err := c.Accounts(ctx, "a.test", "", 0); return err }},
		{"show account", func(c *adminclient.Client) error { _, err := c.Account(ctx, "ALICE@A.test"); return err }},
		{"set password", func(c *adminclient.Client) error { return c.SetPassword(ctx, "alice@a.test", "another word") }},
		{"set retention of a domain", func(c *adminclient.Client) error {
			_, err := c.ChangeDomain(ctx, "a.test", adminclient.DomainSettings{Retention: "90d"})
			return err
		}},
		{"set durability of a domain", func(c *adminclient.Client) error {
			_, err := c.ChangeDomain(ctx, "a.test", adminclient.DomainSettings{Retention: "90d", Durability: "each"})
			return err
		}},
		{"list tokens", func(c *adminclient.Client) error { _, err := c.Tokens(ctx, false); return err }},
		{"list tasks", func(c *adminclient.Client) error { _, err := c.Tasks(ctx); return err }},
		{"late of all", func(c *adminclient.Client) error { _, err := c.Late(ctx, "", "", 0); return err }},
		{"late of one", func(c *adminclient.Client) error { _, err := c.Late(ctx, "alice@a.test", "", 0); return err }},
		{"other: list accounts", func(c *adminclient.Client) error { _, err := c.Accounts(ctx, "b.test", "", 0); return err }},
		{"other: show account", func(c *adminclient.Client) error { _, err := c.Account(ctx, "alice@b.test"); return err }},
		{"other: set password", func(c *adminclient.Client) error { return c.SetPassword(ctx, "alice@b.test", "another word") }},
		{"trust clock", func(c *adminclient.Client) error { _, err := c.TrustClock(ctx); return err }},
	}
	for _, test := range []struct{ role, scope, want string }{
		{"admin", "all", "1111111111111"},
		{"operator", "all", "1110001111110"},
		{"read-only", "all", "1100001111100"},
		{"admin", "domain:a.test", "1111010010000"},
		{"operator", "domain:a.test", "1110000010000"},
		{"read-only", "domain:a.test", "1100000010000"},
	} {
		c, _ := made(t, url, root, test.role, test.scope)
		for i, step := range steps {
			err := step.do(c)
			switch {
			case test.want[i] == '0':
				wantStatus(t, test.role+" "+test.scope+": "+step.name, err, http.StatusForbidden, "not permitted")
			case err != nil:
				t.Errorf("%s %s: %s: %v", test.role, test.scope, step.name, err)
			}
		}
	}
}

// A token for a domain sees nothing of others: an answer does not tell whether another domain or account
// exists.
func TestScopeHidesTheRest(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	ctx := t.Context()
	root := client(t, url, "configured-secret")
	for _, domain := range []string{"a.test", "b.test", "c.test"} {
		if _, err := root.AddDomain(ctx, domain); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := root.AddAccount(ctx, "alice@b.test", "secret word"); err != nil {
		t.Fatal(err)
	}
	c, own := made(t, url, root, "admin", "domain:a.test", "domain:c.test", "domain:unhosted.test")
	domains, err := c.Domains(ctx)
	if err != nil || len(domains) != 2 || domains[0].Name != "a.test" || domains[1].Name != "c.test" {
		t.Errorf("domains %+v, %v", domains, err)
	}
	texts := map[string]bool{}
	for _, domain := range []string{"b.test", "B.TEST.", "none.test"} {
		for what, do := range map[string]func() error{
			"list":    func() error { _, err := c.Accounts(ctx, domain, "", 0); return err },
			"show":    func() error { _, err := c.Account(ctx, "alice@"+domain); return err },
			"nobody":  func() error { _, err := c.Account(ctx, "nobody@"+domain); return err },
			"add":     func() error { _, err := c.AddAccount(ctx, "new@"+domain, "secret word"); return err },
			"quoted":  func() error { _, err := c.AddAccount(ctx, `"x@a.test"@`+domain, "secret word"); return err },
			"remove":  func() error { _, err := c.RemoveAccount(ctx, "alice@"+domain); return err },
			"disable": func() error { return c.SetState(ctx, "alice@"+domain, adminclient.Disabled) },
			"change": func() error {
				_, err := c.ChangeDomain(ctx, domain, adminclient.DomainSettings{Retention: "90d"})
				return err
			},
			"late": func() error { _, err := c.Late(ctx, "alice@"+domain, "", 0); return err },
			"drop": func() error {
				_, err := c.DropLate(ctx, adminclient.LateSelection{Address: "alice@" + domain})
				return err
			},
			"hand out": func() error {
				_, err := c.HandOverLate(ctx, adminclient.LateSelection{Address: "x@a.test"}, "alice@"+domain)
				return err
			},
			"hand in": func() error {
				_, err := c.HandOverLate(ctx, adminclient.LateSelection{Address: "alice@" + domain}, "x@a.test")
				return err
			},
		} {
			err := do()
			wantStatus(t, what+" "+domain, err, http.StatusForbidden, "outside the scopes")
			if err != nil {
				texts[err.Error()] = true
			}
		}
	}
	if len(texts) != 1 {
		t.Errorf("refusals differ: %v", texts)
	}
	for what, err := range map[string]error{
		"add a domain":    func() error { _, err := c.AddDomain(ctx, "unhosted.test"); return err }(),
		"remove a domain": c.RemoveDomain(ctx, "c.test"),
		"bulk":            func() error { _, err := c.SetBulk(ctx, "x@a.test"); return err }(),
		"check":           func() error { _, err := c.StartCheck(ctx, adminclient.CheckOptions{Address: "x@a.test"}); return err }(),
		"a wider token": func() error {
			_, err := c.AddToken(ctx, adminclient.NewToken{Role: "read-only", Scopes: []string{"domain:b.test"}, Lifetime: "1m"})
			return err
		}(),
	} {
		wantStatus(t, what, err, http.StatusForbidden, "not permitted")
	}
	if _, err := c.AddAccount(ctx, "own@a.test", "secret word"); err != nil {
		t.Error(err)
	}
	wantStatus(t, "unhosted", func() error { _, err := c.AddAccount(ctx, "own@unhosted.test", "secret word"); return err }(), http.StatusNotFound, "no such domain")
	// Changes are logged with the token, refusals too; no line has a secret.
	for _, want := range []string{
		`msg="admin change" operation=add-account token=` + own.ID + ` on=own@a.test`,
		`msg="admin change" operation=add-token token=configured`,
		`msg="admin request refused" operation=remove-domain token=` + own.ID,
	} {
		if !strings.Contains(f.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, f.log)
		}
	}
	if strings.Contains(f.log.String(), "popelago_") || strings.Contains(f.log.String(), "configured-secret") {
		t.Errorf("the log has a secret:\n%s", f.log)
	}
}

func TestTokens(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	ctx := t.Context()
	root := client(t, url, "configured-secret")
	c, m := made(t, url, root, "admin", "all")
	if !regexp.MustCompile(`^popelago_[a-z2-7]{59}$`).MatchString(m.Secret) || m.Expires == nil || m.Note != "for a test" || m.Maker != "configured" {
		t.Errorf("%+v", m)
	}
	caller, err := c.Caller(ctx)
	if err != nil || caller.ID != m.ID || caller.Role != "admin" || !slices.Equal(caller.Scopes, []string{"all"}) || caller.Expires == nil {
		t.Errorf("%+v, %v", caller, err)
	}
	for range 3 {
		if _, err := c.AddToken(ctx, adminclient.NewToken{Role: "read-only", Scopes: []string{"domain:a.test", "domain:b.test"}, Lifetime: "30m"}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := root.Tokens(ctx, false)
	if err != nil || len(list) != 4 {
		t.Fatalf("%+v, %v", list, err)
	}
	var pages []string
	for after := ""; ; {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/v1/tokens?limit=3&after="+after, nil)
		r.Header.Set("Authorization", "Bearer configured-secret")
		f.handler.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "popelago_") {
			t.Errorf("a list has a secret: %s", w.Body)
		}
		pages = append(pages, w.Body.String())
		next := regexp.MustCompile(`"next":"([a-z2-7]*)"`).FindStringSubmatch(w.Body.String())
		if next == nil {
			break
		}
		after = next[1]
	}
	if len(pages) != 2 {
		t.Errorf("pages %q", pages)
	}
	for _, bad := range []adminclient.NewToken{
		{Role: "admin", Scopes: []string{"everything"}}, {Role: "admin", Scopes: []string{"domain:not a domain"}},
		{Role: "admin", Scopes: []string{"all"}, Lifetime: "soon"}, {Role: "admin", Scopes: []string{"all"}, Note: "a\nb"},
	} {
		_, err := root.AddToken(ctx, bad)
		wantStatus(t, "bad", err, http.StatusBadRequest, "token cannot be made")
	}
	_, err = root.AddToken(ctx, adminclient.NewToken{Role: "root", Scopes: []string{"all"}})
	wantStatus(t, "bad role", err, http.StatusUnprocessableEntity, "role")

	if r, err := root.RevokeToken(ctx, m.ID, false); err != nil || !r.Everywhere || !slices.Equal(r.IDs, []string{m.ID}) {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = c.Domains(ctx)
	wantStatus(t, "revoked", err, http.StatusUnauthorized, "revoked")
	if list, err = root.Tokens(ctx, true); err != nil || len(list) != 4 || !slices.ContainsFunc(list, func(t adminclient.Token) bool { return t.ID == m.ID && t.State == "revoked" && t.Revoked != nil }) {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = root.RevokeToken(ctx, "unknown", false)
	wantStatus(t, "unknown", err, http.StatusNotFound, "no such token")
	// On the socket a request without a token has all rights, and a request with a token the token's.
	open := new(fixture)
	open.engine = f.engine
	socket := open.start(t).serve(t)
	if caller, err := client(t, socket, "").Caller(ctx); err != nil || caller.ID != "socket" || caller.Role != "admin" {
		t.Errorf("%+v, %v", caller, err)
	}
	_, err = client(t, socket, m.Secret).Caller(ctx)
	wantStatus(t, "revoked, on the socket", err, http.StatusUnauthorized, "revoked")
}

// Without a secret in the configuration no request is open.
func TestNoConfiguredSecret(t *testing.T) {
	f := new(fixture).start(t)
	dir, err := account.New(account.Config{}, store.Single(f.engine).Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := admin.New(admin.Config{}, dir, store.Single(f.engine))
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"", "Bearer ", "Bearer", "Bearer x"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/v1/domains", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		h.ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("Authorization %q: %d", header, w.Code)
		}
	}
}

// A token for a domain sees the way of mail up to other domains: an alias, a group or a domain alias shows neither
// accounts nor aliases of theirs.
func TestResolutionWithinScopes(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url, ctx := f.serve(t), t.Context()
	root := client(t, url, "configured-secret")
	addTwoDomains(t, root)
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(root.AddDomain(ctx, "c.test"))
	must(root.SetDomainSettings(ctx, "c.test", map[string]string{"alias_of": "b.test"}))
	must(root.AddAccount(ctx, "gone@b.test", "secret word"))
	must(root.AddAlias(ctx, "secret@b.test", "alice@b.test"))
	must(root.AddGroup(ctx, "team@b.test", []string{"gone@b.test", "alice@a.test"}))
	must(root.RemoveAccount(ctx, "gone@b.test"))
	must(root.AddAlias(ctx, "out@a.test", "secret@b.test"))
	must(root.AddGroup(ctx, "all@a.test", []string{"team@b.test", "out@a.test"}))
	c, _ := made(t, url, root, "admin", "domain:a.test", "domain:c.test")
	const outside = adminclient.ResolvedOutside
	for address, want := range map[string]string{
		"out@a.test":    "out@a.test alias, secret@b.test " + outside,
		"all@a.test":    "all@a.test group, out@a.test alias, secret@b.test " + outside + ", team@b.test " + outside + ": alice@a.test",
		"secret@c.test": "secret@c.test " + outside,
		"nobody@c.test": "nobody@c.test " + outside,
	} {
		r, err := c.Resolve(ctx, address)
		var steps []string
		for _, s := range r.Steps {
			steps = append(steps, s.Address+" "+s.Result)
		}
		got := strings.Join(steps, ", ")
		for _, to := range r.Recipients {
			got += ": " + to.Address
		}
		if err != nil || got != want || strings.Contains(r.Reason, "b.test") {
			t.Errorf("%s: %s (%s), %v, want %s", address, got, r.Reason, err, want)
		}
		tried, err := c.TestAddress(ctx, adminclient.AddressTrial{Address: address})
		if err != nil || !reflect.DeepEqual(*tried.Resolution, r) {
			t.Errorf("test of %s: %+v, %v", address, tried.Resolution, err)
		}
	}
	if g, err := c.Group(ctx, "all@a.test"); err != nil || len(g.Missing) != 0 {
		t.Errorf("missing members %q, %v", g.Missing, err)
	}
	if g, err := root.Group(ctx, "all@a.test"); err != nil || len(g.Missing) != 1 {
		t.Errorf("missing members for the scope all %q, %v", g.Missing, err)
	}
}
