package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"popelago/adminclient"
)

func TestSettings(t *testing.T) {
	f := new(fixture).start(t)
	c := f.unix(t)
	ctx := t.Context()
	d, err := c.AddDomain(ctx, "example.org")
	if err != nil || d.Durability != "" || d.Retention != "forever" {
		t.Errorf("at first: %+v, %v", d, err)
	}
	a, err := c.AddAccount(ctx, "alice@example.org", "secret1")
	if err != nil || a.Retention != "domain" {
		t.Errorf("at first: %+v, %v", a, err)
	}
	for _, step := range []struct {
		settings adminclient.DomainSettings
		want     string
	}{
		{adminclient.DomainSettings{Durability: "each-or-local"}, "each-or-local forever"},
		{adminclient.DomainSettings{Retention: "36h"}, "each-or-local 1d12h0m0s"},
		{adminclient.DomainSettings{Durability: "default", Retention: "90d"}, " 90d"},
		{adminclient.DomainSettings{}, " 90d"},
	} {
		d, err := c.ChangeDomain(ctx, "Example.org", step.settings)
		if got := d.Durability + " " + d.Retention; err != nil || got != step.want || d.Name != "example.org" {
			t.Errorf("%+v: %+v, %v; want %s", step.settings, d, err, step.want)
		}
		if list, err := c.Domains(ctx); err != nil || len(list) != 1 || list[0] != d {
			t.Errorf("listed as %+v, %v; want %+v", list, err, d)
		}
	}
	for _, retention := range []string{"1d", "forever", "domain"} {
		if err := c.SetRetention(ctx, "alice@example.org", retention); err != nil {
			t.Error(err)
		}
		if a, err := c.Account(ctx, "alice@example.org"); err != nil || a.Retention != retention || a.DomainRetention != "90d" {
			t.Errorf("%s: %+v, %v", retention, a, err)
		}
	}
	for _, bad := range []string{"", "90", "never", "-1d", "59m", strings.Repeat("1", 29) + "d", strings.Repeat("x", 31)} {
		if err := c.SetRetention(ctx, "alice@example.org", bad); err == nil {
			t.Errorf("a retention of %q was taken", bad)
		}
		if _, err := c.ChangeDomain(ctx, "example.org", adminclient.DomainSettings{Retention: bad}); err == nil && bad != "" {
			t.Errorf("a retention of %q was taken for a domain", bad)
		}
	}
	_, err = c.ChangeDomain(ctx, "example.org", adminclient.DomainSettings{Retention: "domain"})
	wantStatus(t, "a domain as its domain", err, http.StatusBadRequest, "no other to follow")
	_, err = c.ChangeDomain(ctx, "example.org", adminclient.DomainSettings{Durability: "everywhere"})
	wantStatus(t, "durability", err, http.StatusUnprocessableEntity, "durability")
	_, err = c.ChangeDomain(ctx, "example.net", adminclient.DomainSettings{Retention: "90d"})
	wantStatus(t, "no domain", err, http.StatusNotFound, "no such domain")
	wantStatus(t, "no account", c.SetRetention(ctx, "bob@example.org", "90d"), http.StatusNotFound, "no such account")
	if !strings.Contains(f.log.String(), "domain changed") || !strings.Contains(f.log.String(), "account retention changed") {
		t.Errorf("the log does not tell of the changes:\n%s", f.log)
	}
}
