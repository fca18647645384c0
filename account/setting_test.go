package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Every value of every form is read back as it is shown.
func TestSettingForms(t *testing.T) {
	settings := byName()
	for _, c := range []struct{ name, text, shown string }{
		{"deliver", "on", "on"}, {"deliver", "off", "off"}, {"pop3", "off", "off"},
		{"quota", "2GiB", "2GiB"}, {"quota", "2048MiB", "2GiB"}, {"quota", "1500MB", "1500000000"}, {"quota", "unlimited", "unlimited"},
		{"quota_messages", "10000", "10000"}, {"over_quota", "refuse", "refuse"},
		{"reading", "local", "local"}, {"reading", "each", "each"}, {"reading", "each-or-local", "each-or-local"},
		{"durability", "each", "each"}, {"retention", "90d", "90d"}, {"retention", "forever", "forever"},
		{"expires", "2027-03-31", "2027-03-31"}, {"expires", "2027-03-31T18:00:00Z", "2027-03-31T18:00:00Z"},
		{"expires", "2027-03-31T20:00:00+02:00", "2027-03-31T18:00:00Z"}, {"expires", "2027-04-01T00:00:00Z", "2027-03-31"}, {"expires", "never", "never"},
		{"reason", `moved to "mail.example", see <ticket>`, `moved to "mail.example", see <ticket>`}, {"reason", "zieht um: Größe", "zieht um: Größe"},
		{"catch_all", "Carol@Example.test", "carol@example.test"}, {"catch_all", "none", "none"}, {"delimiter", "+", "+"}, {"delimiter", "none", "none"},
		{"alias_of", "Other.Test", "other.test"}, {"alias_of", "none", "none"},
		{"catch_all", "carol", ""}, {"catch_all", "", ""}, {"delimiter", "@", ""}, {"delimiter", "+-", ""}, {"delimiter", "", ""}, {"alias_of", "a b", ""},
		{"quota", "", ""}, {"quota", "1023", ""}, {"quota", "-1", ""}, {"quota_messages", "0", ""}, {"quota_messages", "1e3", ""},
		{"deliver", "true", ""}, {"deliver", "ON", ""}, {"reading", "quorum", ""},
		{"reading", "", ""}, {"reading", "Each", ""}, {"reading", "all", ""}, {"reading", "default", ""},
		{"durability", "default", ""}, {"retention", "domain", ""},
		{"expires", "31.3.2027", ""}, {"expires", "2027-02-30", ""}, {"expires", "2027-03-31T18:00:00.5Z", ""},
		{"reason", strings.Repeat("x", 201), ""}, {"reason", "two\nlines", ""}, {"reason", "\xff", ""},
	} {
		var p Policy
		s := settings[c.name]
		err := s.Read(&p, c.text)
		if c.shown == "" {
			if !errors.Is(err, ErrBadSetting) || !strings.Contains(err.Error(), c.name) {
				t.Errorf("%s = %q: %v", c.name, c.text, err)
			}
			continue
		}
		if got := s.Show(p); err != nil || got != c.shown {
			t.Errorf("%s = %q is shown as %q, %v; want %q", c.name, c.text, got, err, c.shown)
		}
		var again Policy
		if err := s.Read(&again, c.shown); err != nil || again != p {
			t.Errorf("%s = %q becomes %+v, %v; want %+v", c.name, c.shown, again, err, p)
		}
	}
	for _, s := range Settings() {
		if s.Doc == "" || s.Form == "" || !s.Account && !s.Domain || s.Default() != s.Show(Policy{}) {
			t.Errorf("%+v", s)
		}
	}
}

// inForce returns values as NAME=VALUE SOURCE.
func inForce(t *testing.T, v SettingsView, err error, names ...string) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range v.InForce {
		for _, n := range names {
			if n == f.Name {
				fmt.Fprintf(&b, "%s=%s %s; ", f.Name, f.Value, f.Source)
			}
		}
	}
	return b.String()
}

func TestSettingsInForce(t *testing.T) {
	d, _ := withDomain(t)
	d.cfg.Policy.Quota, d.cfg.Policy.Reading = 5<<30, mail.ReadingEachOrLocal
	d.cfg.Durability = mail.DurabilityEach
	ctx := t.Context()
	a := addr(t, "alice@example.test")
	addAccount(t, d, "alice@example.test", "secret")
	names := []string{"quota", "reading", "durability", "retention"}
	check := func(want string) {
		t.Helper()
		v, err := d.AccountSettings(ctx, a)
		if got := inForce(t, v, err, names...); got != want {
			t.Errorf("in force:\n%s; want\n%s", got, want)
		}
	}
	check("quota=5GiB server; reading=each-or-local server; durability=each server; retention=forever server; ")

	domainChange := func(texts map[string]string) {
		t.Helper()
		c, err := d.DomainChange(texts)
		if err == nil {
			_, err = d.ChangeDomain(ctx, "example.test", c)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	domainChange(map[string]string{"quota": "1GiB", "retention": "90d", "durability": "local", "domain_quota": "1TiB"})
	check("quota=1GiB domain; reading=each-or-local server; durability=local domain; retention=90d domain; ")

	change := map[string]string{"quota": "unlimited", "retention": "forever", "durability": "each-or-local", "reading": "local"}
	wantErr(t, "change", d.SetAccountSettings(ctx, a, change), nil)
	check("quota=unlimited account; reading=local account; durability=each-or-local account; retention=forever account; ")
	r, err := d.Resolve(ctx, a)
	if err != nil || r.Durability != mail.DurabilityEachOrLocal || r.Limits.Octets != 0 || r.Limits.DomainOctets != 1<<40 || r.Account != a {
		t.Errorf("%+v, %v", r, err)
	}
	l, err := d.Authenticate(ctx, "alice@example.test", "secret")
	if err != nil || l.Reading != mail.ReadingLocal || l.Retention.Ends() || l.Durability != mail.DurabilityEachOrLocal {
		t.Errorf("%+v, %v", l, err)
	}

	wantErr(t, "remove", d.SetAccountSettings(ctx, a, map[string]string{"quota": "", "retention": "none", "durability": "none", "reading": ""}), nil)
	check("quota=1GiB domain; reading=each-or-local server; durability=local domain; retention=90d domain; ")
	if v, err := d.AccountSettings(ctx, a); err != nil || len(v.Own) != 0 {
		t.Errorf("own: %v, %v", v.Own, err)
	}
	domainChange(map[string]string{"quota": "none", "retention": "", "durability": ""})
	check("quota=5GiB server; reading=each-or-local server; durability=each server; retention=forever server; ")
	if v, err := d.DomainSettings(ctx, "example.test"); err != nil || !maps.Equal(v.Own, map[string]string{"domain_quota": "1TiB"}) {
		t.Errorf("own: %v, %v", v.Own, err)
	}
}

// A mistake changes nothing, and the message names the setting that was meant.
func TestBadSettings(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addr(t, "alice@example.test")
	addAccount(t, d, "alice@example.test", "secret")
	for _, c := range []struct{ name, text, want string }{
		{"quta", "1GiB", "did you mean quota?"},
		{"colour", "red", "lists all"},
		{"domain_quota", "1GiB", "a setting of domains"},
		{"quota", "lots", "quota"},
		{"retention", "1m", "retention"},
	} {
		err := d.SetAccountSettings(ctx, a, map[string]string{"deliver": "off", c.name: c.text})
		if !errors.Is(err, ErrBadSetting) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s: %v", c.name, c.text, err)
		}
	}
	if v, err := d.AccountSettings(ctx, a); err != nil || len(v.Own) != 0 {
		t.Errorf("own: %v, %v", v.Own, err)
	}
	wantErr(t, "nobody", d.SetAccountSettings(ctx, addr(t, "bob@example.test"), map[string]string{"pop3": "off"}), ErrNoSuchAccount)
	_, err := d.DomainChange(map[string]string{"readings": "each"})
	wantErr(t, "domain", err, ErrBadSetting)
}

// Settings that a newer release made are kept and have no effect.
func TestUnreadableSettings(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addr(t, "alice@example.test")
	addAccount(t, d, "alice@example.test", "secret")
	newer := map[string]string{"deliver": "weekdays", "quota": "1EiB", "colour": "red"}
	wantErr(t, "change", d.change(ctx, a, mail.MessageID{}, store.AddressChange{Settings: newer}), nil)
	if r, err := d.Resolve(ctx, a); err != nil || r.Limits != (mail.Limits{}) {
		t.Errorf("%+v, %v", r, err)
	}
	v, err := d.AccountSettings(ctx, a)
	if got := inForce(t, v, err, "deliver", "quota"); got != "deliver=on server; quota=unlimited server; " || !maps.Equal(v.Own, newer) {
		t.Errorf("%s %v", got, v.Own)
	}
}

func TestPermissions(t *testing.T) {
	d, clock := withDomain(t)
	ctx := t.Context()
	a := addr(t, "alice@example.test")
	addAccount(t, d, "alice@example.test", "secret")
	uses := func() string {
		_, mailErr := d.Resolve(ctx, a)
		_, loginErr := d.Authenticate(ctx, "alice@example.test", "secret")
		return outcome(t, mailErr) + " " + outcome(t, loginErr)
	}
	for _, c := range []struct{ name, text, want string }{
		{"deliver", "off", "disabled ok"}, {"pop3", "off", "disabled disabled"}, {"deliver", "on", "ok disabled"}, {"pop3", "none", "ok ok"},
		{"expires", "1999-12-31", "disabled disabled"}, {"expires", clock.Now().UTC().Format(time.DateOnly), "ok ok"}, {"expires", "never", "ok ok"},
	} {
		wantErr(t, c.name, d.SetAccountSettings(ctx, a, map[string]string{c.name: c.text, "reason": "bill unpaid"}), nil)
		if got := uses(); got != c.want {
			t.Errorf("%s=%s: %s, want %s", c.name, c.text, got, c.want)
		}
	}
	c, err := d.DomainChange(map[string]string{"deliver": "off", "expires": "1999-12-31"})
	if err == nil {
		_, err = d.ChangeDomain(ctx, "example.test", c)
	}
	wantErr(t, "domain", err, nil)
	if got := uses(); got != "ok ok" { // the account has both settings itself
		t.Errorf("the account has settings of its own: %s", got)
	}
	wantErr(t, "inherit", d.SetAccountSettings(ctx, a, map[string]string{"deliver": "", "expires": ""}), nil)
	if got := uses(); got != "disabled disabled" {
		t.Errorf("as the domain: %s", got)
	}
	_, err = d.Resolve(ctx, a)
	if err == nil || !strings.Contains(err.Error(), "deliver is off: bill unpaid") {
		t.Errorf("the log would have no reason: %v", err)
	}
	_, err = d.Authenticate(ctx, "alice@example.test", "wrong")
	wantErr(t, "wrong password", err, ErrBadCredentials)
}

func outcome(t *testing.T, err error) string {
	t.Helper()
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrDisabled):
		return "disabled"
	case errors.Is(err, store.ErrUnavailable):
		return "temporary"
	}
	t.Error(err)
	return "error"
}

// wrongClock is a directory in which the clock is not trusted.
type wrongClock struct{ store.Directory }

func (wrongClock) Clock() error { return store.ErrClock }

// A wrong clock refuses nobody permanently.
func TestExpiryWithWrongClock(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addr(t, "alice@example.test")
	addAccount(t, d, "alice@example.test", "secret")
	wantErr(t, "expires", d.SetAccountSettings(ctx, a, map[string]string{"expires": "1999-12-31"}), nil)
	d.store.Local = wrongClock{d.store.Local}
	_, err := d.Resolve(ctx, a)
	wantErr(t, "mail", err, store.ErrClock)
	_, err = d.Authenticate(ctx, "alice@example.test", "secret")
	wantErr(t, "login", err, store.ErrClock)
}

// away is the level Each while a datacenter cannot be reached.
type away struct{ store.Directory }

func (away) AddressRows(context.Context, mail.Address) ([]store.Address, error) {
	return nil, store.ErrUnavailable
}

// A permission that the other datacenter has given again counts, and no refusal is permanent while the other
// datacenter cannot be asked.
func TestPermissionElsewhere(t *testing.T) {
	d, _ := withDomain(t)
	other, _ := withDomain(t)
	ctx := t.Context()
	a := addr(t, "alice@example.test")
	for _, dir := range []*Directory{d, other} {
		addAccount(t, dir, "alice@example.test", "secret")
	}
	wantErr(t, "off", d.SetAccountSettings(ctx, a, map[string]string{"deliver": "off"}), nil)
	d.store.Each, d.store.Several = other.store.Local, true
	if _, err := d.Resolve(ctx, a); err != nil {
		t.Errorf("permitted elsewhere: %v", err)
	}
	d.addresses.forget(a)
	wantErr(t, "off elsewhere", other.SetAccountSettings(ctx, a, map[string]string{"deliver": "off"}), nil)
	_, err := d.Resolve(ctx, a)
	wantErr(t, "refused in both", err, ErrDisabled)
	d.store.Each = away{d.store.Local}
	_, err = d.Resolve(ctx, a)
	wantErr(t, "cut off", err, store.ErrUnavailable)
}
