package admin_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"popelago/adminclient"
)

func TestAccountList(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob", "zoe"} {
		if _, err := c.AddAccount(ctx, name+"@example.org", "secret1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.SetAccountSettings(ctx, "bob@example.org", map[string]string{"pop3": "off", "reason": "a, b = c"}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		query adminclient.AccountQuery
		want  string
	}{
		{"fields", adminclient.AccountQuery{Fields: []string{"address"}, Sort: "-address"},
			`[{"address":"zoe@example.org"},{"address":"bob@example.org"},{"address":"ann@example.org"}]`},
		{"settings", adminclient.AccountQuery{Fields: []string{"address", "pop3", "own"}, Settings: []string{"reason=a, b = c"}},
			`[{"address":"bob@example.org","own":{"pop3":"off","reason":"a, b = c"},"settings":{"pop3":"off"}}]`},
		{"use", adminclient.AccountQuery{Fields: []string{"state", "octets", "messages"}, MayNot: []string{"pop3"}},
			`[{"state":"enabled","messages":0,"octets":0}]`},
		{"nobody", adminclient.AccountQuery{Prefix: "x", State: "disabled"}, `[]`},
	} {
		list, err := c.SearchAccounts(ctx, "example.org", test.query, "", 0)
		if got, _ := json.Marshal(list.Accounts); err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
	_, err := c.SearchAccounts(ctx, "example.org", adminclient.AccountQuery{Fields: []string{"password"}}, "", 0)
	wantStatus(t, "a field that nobody sees", err, http.StatusBadRequest, `there is no field "password"`)
	_, err = c.SearchAccounts(ctx, "example.org", adminclient.AccountQuery{Settings: []string{"qouta=1GiB"}}, "", 0)
	wantStatus(t, "an unknown setting", err, http.StatusBadRequest, "did you mean quota?")
	_, err = c.SearchAccounts(ctx, "example.org", adminclient.AccountQuery{Sort: "created"}, "ann", 0)
	wantStatus(t, "a wrong after", err, http.StatusBadRequest, "not the next of a page")
}

func TestDomainPages(t *testing.T) {
	c := new(fixture).start(t).unix(t)
	ctx := t.Context()
	for _, name := range []string{"c.test", "a.test", "b.test"} {
		if _, err := c.AddDomain(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	for after := ""; ; {
		page, err := c.DomainPage(ctx, after, 2)
		if err != nil || len(page.Domains) > 2 {
			t.Fatalf("%+v, %v", page, err)
		}
		for _, d := range page.Domains {
			seen = append(seen, d.Name)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(seen) != 3 || seen[0] != "a.test" || seen[2] != "c.test" {
		t.Errorf("domains %q", seen)
	}
}
