package account

import (
	"maps"
	"testing"

	"popelago/mail"
	"popelago/store"
)

// Settings with a name are part of what the directory reads anyway, and a new generation of an address and
// a new domain begin without them.
func TestSettingsWithNames(t *testing.T) {
	d, _ := withDomain(t)
	ctx, alice := t.Context(), addr(t, "alice@example.test")
	want := func(account, domain string) {
		t.Helper()
		e, _, err := d.find(ctx, alice)
		if err != nil || e.row.Settings["a"] != account {
			t.Errorf("the account: %+v, %v, want %q", e, err, account)
		}
		if got, err := d.domain(ctx, "example.test"); err != nil || got.Settings["a"] != domain {
			t.Errorf("the domain: %+v, %v, want %q", got, err, domain)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	change := func(settings map[string]string) store.Domain {
		t.Helper()
		got, err := d.ChangeDomain(ctx, "example.test", store.DomainChange{Settings: settings})
		must(err)
		return got
	}
	_, err := d.AddAccount(ctx, alice, "secret")
	must(err)
	want("", "")
	must(d.changeOwn(ctx, alice, nil, store.AddressChange{Settings: map[string]string{"a": "1", "b": "2"}}))
	change(map[string]string{"a": "3", "b": "4"})
	want("1", "3")
	must(d.changeOwn(ctx, alice, nil, store.AddressChange{Settings: map[string]string{"a": ""}}))
	if got := change(map[string]string{"a": ""}); !maps.Equal(got.Settings, map[string]string{"b": "4"}) {
		t.Errorf("the changed domain: %+v", got)
	}
	want("", "")
	must(d.changeOwn(ctx, alice, nil, store.AddressChange{Settings: map[string]string{"a": "5"}}))
	change(map[string]string{"a": "6"})
	must(d.RemoveAccount(ctx, alice))
	must(d.RemoveDomain(ctx, "example.test"))
	_, err = d.AddDomain(ctx, "example.test")
	must(err)
	_, err = d.AddAccount(ctx, alice, "secret")
	must(err)
	want("", "")
	if err := d.changeOwn(ctx, mail.Address{Local: "bob", Domain: "example.test"}, nil, store.AddressChange{Settings: map[string]string{"a": "1"}}); err == nil {
		t.Error("the settings of no account were changed")
	}
}
