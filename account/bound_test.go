package account

import (
	"testing"
	"time"

	"popelago/mail"
)

// The settings in force name the source of a retention, and also the bound that replaces the value, with its source.
func TestBoundsAreNamed(t *testing.T) {
	ctx := t.Context()
	cfg := cheap(newClock())
	cfg.Policy = DefaultPolicy()
	cfg.Policy.RetentionMax = mail.Retention(365 * 24 * time.Hour)
	d := newDirectory(t, cfg, openStore(t))
	if _, err := d.AddDomain(ctx, "example.test"); err != nil {
		t.Fatal(err)
	}
	a := addAccount(t, d, "alice@example.test", "secret").Address
	type want struct {
		value  string
		source Source
		bound  Bound
	}
	for _, step := range []struct {
		domain, account map[string]string
		retention       want
		afterRetrieval  want
		ofDomain        want
	}{
		{
			retention: want{"365d", SourceServer, Bound{SettingRetentionMax, SourceServer}}, afterRetrieval: want{"forever", SourceServer, Bound{}},
			ofDomain: want{"365d", SourceServer, Bound{SettingRetentionMax, SourceServer}},
		},
		{
			domain:    map[string]string{"retention": "90d", SettingRetentionMin: "10d"},
			retention: want{"90d", SourceDomain, Bound{}}, afterRetrieval: want{"forever", SourceServer, Bound{}}, ofDomain: want{"90d", SourceDomain, Bound{}},
		},
		{
			account:   map[string]string{"retention": "2d", SettingAfterRetrieval: "3d"},
			retention: want{"10d", SourceAccount, Bound{SettingRetentionMin, SourceDomain}}, afterRetrieval: want{"10d", SourceAccount, Bound{SettingRetentionMin, SourceDomain}},
			ofDomain: want{"90d", SourceDomain, Bound{}},
		},
		{
			domain: map[string]string{SettingRetentionMax: "30d", SettingAfterRetrieval: "1d"}, account: map[string]string{"retention": "400d", SettingAfterRetrieval: ""},
			retention: want{"30d", SourceAccount, Bound{SettingRetentionMax, SourceDomain}}, afterRetrieval: want{"10d", SourceDomain, Bound{SettingRetentionMin, SourceDomain}},
			ofDomain: want{"30d", SourceDomain, Bound{SettingRetentionMax, SourceDomain}},
		},
		{
			account:   map[string]string{"retention": "10d"},
			retention: want{"10d", SourceAccount, Bound{}}, afterRetrieval: want{"10d", SourceDomain, Bound{SettingRetentionMin, SourceDomain}},
			ofDomain: want{"30d", SourceDomain, Bound{SettingRetentionMax, SourceDomain}},
		},
	} {
		if len(step.domain) > 0 {
			c, err := d.DomainChange(step.domain)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.ChangeDomain(ctx, "example.test", c); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.SetAccountSettings(ctx, a, step.account); err != nil {
			t.Fatal(err)
		}
		check := func(what string, v SettingsView, err error, name string, want want) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range v.InForce {
				if f.Name == name && (f.Value != want.value || f.Source != want.source || f.Bound != want.bound) {
					t.Errorf("%v, %v: %s: %+v, want %+v", step.domain, step.account, what, f, want)
				}
			}
		}
		v, err := d.AccountSettings(ctx, a)
		check("the account", v, err, settingRetention, step.retention)
		check("the account", v, err, SettingAfterRetrieval, step.afterRetrieval)
		v, err = d.DomainSettings(ctx, "example.test")
		check("the domain", v, err, settingRetention, step.ofDomain)
	}
}
