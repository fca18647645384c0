package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"popelago/adminclient"
)

// value returns the value of a setting in force and its source.
func value(s adminclient.Settings, name string) string {
	for _, e := range s.Effective {
		if e.Name == name {
			return e.Value + " " + e.Source
		}
	}
	return "missing"
}

func TestPolicy(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	// A local-part that a path must escape.
	const address = "a/b@example.org"
	for _, a := range []string{address, "bob@example.org"} {
		if _, err := c.AddAccount(ctx, a, "secret12"); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.SetDomainSettings(ctx, "Example.org", map[string]string{"quota": "1GiB", "retention": "90d", "durability": "each"})
	if err != nil || value(s, "quota") != "1GiB domain" || value(s, "retention") != "90d domain" || len(s.Settings) != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = c.SetAccountSettings(ctx, address, map[string]string{"quota": "2048MiB", "reading": "each", "reason": `a "reason" <b>ü</b>`})
	if err != nil || value(s, "quota") != "2GiB account" || value(s, "durability") != "each domain" || value(s, "deliver") != "on server" {
		t.Errorf("%+v, %v", s, err)
	}
	if value(s, "domain_quota") != "missing" {
		t.Errorf("an account has %s", value(s, "domain_quota"))
	}
	if again, err := c.AccountSettings(ctx, address); err != nil || value(again, "reason") != `a "reason" <b>ü</b> account` {
		t.Errorf("%+v, %v", again, err)
	}
	if a, err := c.Account(ctx, address); err != nil || a.Settings["quota"] != "2GiB" {
		t.Errorf("%+v, %v", a, err)
	}
	s, err = c.SetAccountSettings(ctx, address, map[string]string{"quota": "", "reading": "none"})
	if err != nil || value(s, "quota") != "1GiB domain" || value(s, "reading") != "local server" || len(s.Settings) != 1 {
		t.Errorf("%+v, %v", s, err)
	}

	_, err = c.SetAccountSettings(ctx, address, map[string]string{"quta": "1GiB"})
	wantStatus(t, "unknown", err, http.StatusBadRequest, "did you mean quota?")
	_, err = c.SetDomainSettings(ctx, "example.org", map[string]string{"quota": "1GiB", "deliver": "sometimes"})
	wantStatus(t, "value", err, http.StatusBadRequest, "deliver")
	_, err = c.SetAccountSettings(ctx, "nobody@example.org", map[string]string{"quota": "1GiB"})
	wantStatus(t, "nobody", err, http.StatusNotFound, "no such account")
	_, err = c.SetDomainSettings(ctx, "example.net", map[string]string{"quota": "1GiB"})
	wantStatus(t, "no domain", err, http.StatusNotFound, "no such domain")

	infos, err := c.SettingInfos(ctx)
	if err != nil || len(infos) < 10 || infos[0].Name != "deliver" || infos[0].Default != "on" || strings.Join(infos[0].For, " ") != "account domain server" {
		t.Errorf("%+v, %v", infos, err)
	}

	q, err := c.AccountQuota(ctx, address)
	if err != nil || q.MaxOctets != 1<<30 || q.Percent != 0 {
		t.Errorf("%+v, %v", q, err)
	}
	list, err := c.Quotas(ctx, "example.org", "", 1, 0)
	if err != nil || len(list.Quotas) != 1 || list.Next == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	list, err = c.Quotas(ctx, "example.org", list.Next, 1, 90)
	if err != nil || len(list.Quotas) != 0 || list.Next != "" {
		t.Errorf("%+v, %v", list, err)
	}
	if d, err := c.DomainQuota(ctx, "example.org"); err != nil || d.Measured != nil || d.Octets != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

// The administrator of a domain changes delegated settings of the domain and its accounts, and cannot lift a
// restriction of the whole domain.
func TestDelegatedSettings(t *testing.T) {
	f := (&fixture{token: "configured-secret"}).start(t)
	url := f.serve(t)
	ctx := t.Context()
	root := client(t, url, "configured-secret")
	addTwoDomains(t, root)
	c, _ := made(t, url, root, "admin", "domain:a.test")
	change := func(name, value string) error {
		_, err := c.SetDomainSettings(ctx, "a.test", map[string]string{name: value})
		return err
	}
	if err := change("quota", "1GiB"); err != nil {
		t.Error(err)
	}
	for name, v := range map[string]string{"domain_quota": "1TiB", "deliver": "on", "expires": "never", "durability": "local",
		"catch_all": "alice@b.test", "delimiter": "+", "alias_of": "b.test"} {
		wantStatus(t, name, change(name, v), http.StatusForbidden, "not permitted")
	}
	if _, err := c.SetAccountSettings(ctx, "alice@a.test", map[string]string{"quota": "2GiB"}); err != nil {
		t.Error(err)
	}
	_, err := c.SetAccountSettings(ctx, "alice@a.test", map[string]string{"quota": "2GiB", "deliver": "on"})
	wantStatus(t, "deliver of an account", err, http.StatusForbidden, "not permitted")
	_, err = c.SetAccountSettings(ctx, "alice@b.test", map[string]string{"quota": "2GiB"})
	wantStatus(t, "another domain", err, http.StatusForbidden, "not permitted")
	if _, err := root.SetAccountSettings(ctx, "alice@a.test", map[string]string{"deliver": "off"}); err != nil {
		t.Error(err)
	}
}
