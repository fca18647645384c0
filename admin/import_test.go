package admin_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"popelago/adminclient"
)

// bcryptHash is a hash in the form of bcrypt; no test needs its password.
const bcryptHash = "$2b$04$abcdefghijklmnopqrstuuB/aOf7X2UpVCVPLtWqSxTn0eLg3Bv1W"

func outcomes(t *testing.T, r adminclient.ImportReport) string {
	t.Helper()
	texts := make([]string, len(r.Accounts))
	for i, a := range r.Accounts {
		texts[i] = a.Outcome
		if len(a.Changes) > 0 && a.Outcome == adminclient.ImportChanged {
			texts[i] += ":" + strings.Join(a.Changes, "+")
		}
		if a.Status > 0 {
			texts[i] += fmt.Sprint(":", a.Status)
		}
	}
	return strings.Join(texts, " ")
}

func TestImport(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAccount(ctx, "old@example.org", "secret1"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddAlias(ctx, "alias@example.org", "old@example.org"); err != nil {
		t.Fatal(err)
	}
	accounts := []adminclient.ImportedAccount{
		{Address: "Ann@example.org", Password: "secret1", Settings: map[string]string{"quota": "2048MiB", "retention": "90d"}},
		{Address: "bob@example.org", PasswordHash: bcryptHash, State: "disabled"},
		{Address: "none@example.org"},
		{Address: "old@example.org", Password: "secret1"},
		{Address: "ann@example.org"},
		{Address: "alias@example.org", Password: "secret1"},
		{Address: "zoe@other.org", Password: "secret1"},
		{Address: "not an address", Password: "secret1"},
		{Address: "short@example.org", Password: "short"},
		{Address: "both@example.org", Password: "secret1", PasswordHash: bcryptHash},
		{Address: "weird@example.org", PasswordHash: "{MD5}abcdef-secret"},
		{Address: "dear@example.org", PasswordHash: "$argon2id$v=19$m=9999999,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5"},
		{Address: "typo@example.org", Settings: map[string]string{"qouta": "1GiB"}},
	}
	const want = "made made made unchanged refused:409 refused:409 refused:404 refused:400 refused:400 refused:400 refused:400 refused:400 refused:400"
	for _, dry := range []bool{true, true, false} {
		r, err := c.Import(ctx, adminclient.Import{DryRun: dry, Accounts: accounts})
		if err != nil || outcomes(t, r) != want {
			t.Fatalf("dry %t: %s, %v; want %s", dry, outcomes(t, r), err, want)
		}
		if !r.Accounts[2].NoPassword || r.Accounts[0].NoPassword {
			t.Errorf("dry %t: without a password: %+v", dry, r.Accounts)
		}
		if text, _ := json.Marshal(r); strings.Contains(string(text), "secret1") || strings.Contains(string(text), "abcdef") {
			t.Errorf("a password in the answer: %s", text)
		}
	}
	if strings.Contains(f.log.String(), "secret1") || strings.Contains(f.log.String(), "abcdef") {
		t.Errorf("a password in the log:\n%s", f.log)
	}
	if a, err := c.Account(ctx, "ann@example.org"); err != nil || a.Settings["quota"] != "2GiB" || a.Retention != "90d" {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := c.Account(ctx, "bob@example.org"); err != nil || a.State != "disabled" {
		t.Errorf("%+v, %v", a, err)
	}
	// The second run changes nothing, also not the entity-tag.
	tag, err := c.AccountTag(ctx, "ann@example.org")
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Import(ctx, adminclient.Import{Accounts: accounts})
	if got, want := outcomes(t, r), strings.Replace(want, "made made made", "unchanged unchanged unchanged", 1); err != nil || got != want {
		t.Errorf("again: %s, %v; want %s", got, err, want)
	}
	r, err = c.Import(ctx, adminclient.Import{Accounts: []adminclient.ImportedAccount{
		{Address: "ann@example.org", IfMatch: tag, Password: "another", State: "disabled", Settings: map[string]string{"quota": "none", "retention": "none", "pop3": "off"}},
		{Address: "bob@example.org", IfMatch: tag, State: "enabled"},
		{Address: "new@example.org", IfMatch: tag},
	}})
	if got := outcomes(t, r); err != nil || got != "changed:password+state+pop3+quota+retention refused:412 refused:404" {
		t.Errorf("changes: %s, %v", got, err)
	}
	if a, err := c.Account(ctx, "ann@example.org"); err != nil || len(a.Settings) != 1 || a.Retention != "domain" {
		t.Errorf("%+v, %v", a, err)
	}
}

// A token for a domain imports into its domain alone, and only settings that are delegated.
func TestImportStaysInScope(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	ctx := t.Context()
	root := client(t, url, "configured-secret")
	addTwoDomains(t, root)
	accounts := []adminclient.ImportedAccount{
		{Address: "new@a.test", Password: "secret word", Settings: map[string]string{"quota": "1GiB"}},
		{Address: "alice@b.test", State: "disabled"},
		{Address: `"x@a.test"@b.test`, Password: "secret word"},
		{Address: "alice@a.test", Settings: map[string]string{"durability": "each"}},
		{Address: "new@none.test"},
	}
	operator, _ := made(t, url, root, "operator", "domain:a.test")
	r, err := operator.Import(ctx, adminclient.Import{Accounts: accounts})
	if got := outcomes(t, r); err != nil || got != "made refused:403 refused:403 refused:403 refused:403" {
		t.Errorf("%s, %v", got, err)
	}
	reader, _ := made(t, url, root, "read-only", "all")
	_, err = reader.Import(ctx, adminclient.Import{Accounts: accounts})
	wantStatus(t, "read-only", err, http.StatusForbidden, "needs the role operator")
	if a, err := root.Account(ctx, "alice@b.test"); err != nil || a.State != "enabled" {
		t.Errorf("%+v, %v", a, err)
	}
	// Renames need both domains.
	for _, pair := range [][2]string{{"new@a.test", "new@b.test"}, {"alice@b.test", "bob@a.test"}} {
		_, err := operator.RenameAccount(ctx, pair[0], pair[1])
		wantStatus(t, "rename "+pair[0], err, http.StatusForbidden, "not permitted")
	}
	if a, err := operator.RenameAccount(ctx, "new@a.test", "newer@a.test"); err != nil || a.Address != "newer@a.test" {
		t.Errorf("%+v, %v", a, err)
	}
}
