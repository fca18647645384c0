package account

import (
	"testing"

	"popelago/mail"
	"popelago/store"
)

const day = mail.Retention(24 * 60 * 60 * 1e9)

// inDomain makes the rule of a domain with a retention, and with bounds as texts; "" is an absent bound.
func inDomain(p Policy, retention mail.Retention, least, greatest string) Keeping {
	d := store.Domain{Retention: retention, Settings: map[string]string{}}
	for name, text := range map[string]string{SettingRetentionMin: least, SettingRetentionMax: greatest} {
		if text != "" {
			d.Settings[name] = text
		}
	}
	return p.Keeping(d)
}

func TestKeeping(t *testing.T) {
	server := Policy{RetentionMin: 2 * day, RetentionMax: 100 * day}
	for _, test := range []struct {
		what            string
		p               Policy
		domain          mail.Retention
		least, greatest string
		own, want       mail.Retention
	}{
		{"nothing", Policy{}, 0, "", "", 0, 0},
		{"the domain's", Policy{}, 90 * day, "", "", 0, 90 * day},
		{"the account's", Policy{}, 90 * day, "", "", 30 * day, 30 * day},
		{"for ever", Policy{}, 90 * day, "", "", mail.Forever, mail.Forever},
		{"within the bounds", Policy{}, 90 * day, "10d", "365d", 30 * day, 30 * day},
		{"at the least", Policy{}, 90 * day, "10d", "365d", 10 * day, 10 * day},
		{"below the least", Policy{}, 90 * day, "10d", "365d", day, 10 * day},
		{"above the greatest", Policy{}, 90 * day, "10d", "365d", 400 * day, 365 * day},
		{"for ever, bounded", Policy{}, 90 * day, "10d", "365d", mail.Forever, 365 * day},
		{"for ever, with a least only", Policy{}, 90 * day, "10d", "", mail.Forever, mail.Forever},
		{"a domain without a retention, bounded", Policy{}, 0, "", "365d", 0, 365 * day},
		{"a domain without a retention, with a least only", Policy{}, 0, "10d", "", 0, 0},
		{"the domain's own is bounded, too", Policy{}, day, "10d", "", 0, 10 * day},
		{"the server's least", server, 90 * day, "", "", day, 2 * day},
		{"the server's greatest", server, 0, "", "", 0, 100 * day},
		{"the domain's bounds count before the server's", server, 90 * day, "1h", "forever", mail.Forever, mail.Forever},
		{"the domain's least counts before the server's", server, 90 * day, "1h", "", day, day},
		{"contradicting bounds keep mail longer", Policy{}, 90 * day, "30d", "10d", 5 * day, 30 * day},
		{"contradicting bounds, from above", Policy{}, 90 * day, "30d", "10d", 365 * day, 30 * day},
		{"bounds of a newer release", server, 90 * day, "a while", "1 year", mail.Forever, 100 * day},
		{"an unreadable least is no end", Policy{}, 0, "forever", "", day, day},
	} {
		k := inDomain(test.p, test.domain, test.least, test.greatest)
		if got := k.Of(test.own); got != test.want {
			t.Errorf("%s: %v, want %v", test.what, got, test.want)
		}
		// Before login POP3 never announces more than an account has.
		if least := k.leastOf(test.own); test.want.Ends() && (!least.Ends() || least > test.want) {
			t.Errorf("%s: the least is %v, above %v", test.what, least, test.want)
		}
	}
}

func TestCheckChoice(t *testing.T) {
	for _, test := range []struct {
		what            string
		least, greatest string
		own             mail.Retention
		want            error
	}{
		{"no bounds", "", "", 30 * day, ErrNoChoice},
		{"the least possible is no bound", "1h", "forever", 30 * day, ErrNoChoice},
		{"within", "10d", "365d", 30 * day, nil},
		{"at a bound", "10d", "365d", 365 * day, nil},
		{"below", "10d", "365d", 9 * day, ErrBadSetting},
		{"above", "10d", "365d", 366 * day, ErrBadSetting},
		{"for ever", "10d", "365d", mail.Forever, ErrBadSetting},
		{"for ever, with a least only", "10d", "", mail.Forever, nil},
		{"the domain's", "10d", "365d", mail.AsDomain, nil},
	} {
		wantErr(t, test.what, inDomain(Policy{}, 5*day, test.least, test.greatest).checkChoice(test.own), test.want)
	}
}

// A bound that is tightened counts at once for a login, for mail, for an administrator, and for the
// retention announced before login; removed again, the retention that was set counts again.
func TestBoundsCountBackwards(t *testing.T) {
	d, clock := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "secret").Address
	wantErr(t, "retention", d.SetRetention(ctx, a, 400*day), nil)
	learn(t, d)
	want := func(want mail.Retention) {
		t.Helper()
		clock.advance(d.cfg.CacheTTL)
		l, err := d.Authenticate(ctx, "alice@example.test", "secret")
		if err != nil || l.Retention != want {
			t.Errorf("a login has %v, %v; want %v", l.Retention, err, want)
		}
		r, err := d.Resolve(ctx, a)
		if err != nil || r.Limits.Retention != want {
			t.Errorf("mail has %v, %v; want %v", r.Limits.Retention, err, want)
		}
		m, err := d.Maildrop(ctx, a)
		if err != nil || m.InForce != want || m.Retention != 400*day {
			t.Errorf("an administrator has %v, own %v, %v; want %v", m.InForce, m.Retention, err, want)
		}
		wantLeast(t, "before login", d, want)
	}
	change := func(texts map[string]string) error {
		c, err := d.DomainChange(texts)
		if err == nil {
			_, err = d.ChangeDomain(ctx, "example.test", c)
		}
		return err
	}
	want(400 * day)
	wantErr(t, "tighten", change(map[string]string{SettingRetentionMax: "30d"}), nil)
	want(30 * day)
	wantErr(t, "contradiction", change(map[string]string{SettingRetentionMin: "31d"}), ErrBadSetting)
	want(30 * day)
	wantErr(t, "both", change(map[string]string{SettingRetentionMin: "500d", SettingRetentionMax: "600d"}), nil)
	want(500 * day)
	wantErr(t, "remove", change(map[string]string{SettingRetentionMin: "", SettingRetentionMax: "none"}), nil)
	want(400 * day)
}

func TestChoose(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	addAccount(t, d, "alice@example.test", "secret")
	l, err := d.Authenticate(ctx, "alice@example.test", "secret")
	wantErr(t, "login", err, nil)
	wantErr(t, "no bounds", d.Choose(ctx, l, 30*day), ErrNoChoice)
	c, err := d.DomainChange(map[string]string{SettingRetentionMin: "10d", SettingRetentionMax: "365d", "retention": "90d"})
	if err == nil {
		_, err = d.ChangeDomain(ctx, "example.test", c)
	}
	wantErr(t, "bounds", err, nil)
	want := func(want Choice) {
		t.Helper()
		want.Free, want.Least, want.Greatest = true, "10d", "365d"
		if got, err := d.Choice(ctx, l); err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	want(Choice{InForce: 90 * day})
	wantErr(t, "choose", d.Choose(ctx, l, 365*day), nil)
	want(Choice{Own: 365 * day, InForce: 365 * day})
	for _, own := range []mail.Retention{9 * day, 366 * day, mail.Forever, 1} {
		wantErr(t, own.String(), d.Choose(ctx, l, own), ErrBadSetting)
	}
	want(Choice{Own: 365 * day, InForce: 365 * day})
	wantErr(t, "as the domain", d.Choose(ctx, l, mail.AsDomain), nil)
	want(Choice{InForce: 90 * day})

	// The login of an earlier owner of the address changes nothing.
	wantErr(t, "remove", d.RemoveAccount(ctx, l.Address), nil)
	addAccount(t, d, "alice@example.test", "secret")
	wantErr(t, "another account", d.Choose(ctx, l, 30*day), ErrNoSuchAccount)
	_, err = d.Choice(ctx, l)
	wantErr(t, "another account", err, ErrNoSuchAccount)
	if a, err := d.Account(ctx, l.Address); err != nil || a.Retention != mail.AsDomain {
		t.Errorf("the new account has %v, %v", a.Retention, err)
	}
}
