package account

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// A login changes nothing after an administrator has given the account another password, or has disabled it.
func TestLoginEndsWithItsPassword(t *testing.T) {
	ctx := t.Context()
	const day = mail.Retention(24 * time.Hour)
	for name, test := range map[string]struct {
		end  func(*Directory, mail.Address) error
		want error
	}{
		"the same account":     {func(*Directory, mail.Address) error { return nil }, nil},
		"another password":     {func(d *Directory, a mail.Address) error { return d.SetPassword(ctx, a, "reset") }, ErrChanged},
		"the same, once more":  {func(d *Directory, a mail.Address) error { return d.SetPassword(ctx, a, "secret") }, ErrChanged},
		"a disabled account":   {func(d *Directory, a mail.Address) error { return d.SetState(ctx, a, store.StateDisabled) }, ErrChanged},
		"a removed account":    {func(d *Directory, a mail.Address) error { return d.RemoveAccount(ctx, a) }, ErrNoSuchAccount},
		"an unrelated setting": {func(d *Directory, a mail.Address) error { return d.SetRetention(ctx, a, 30*day) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := withDomain(t)
			bounds := map[string]string{SettingRetentionMin: "10d"}
			if _, err := d.ChangeDomain(ctx, "example.test", store.DomainChange{Settings: bounds}); err != nil {
				t.Fatal(err)
			}
			a := addAccount(t, d, "alice@example.test", "secret").Address
			l, err := d.Authenticate(ctx, "alice", "secret")
			if err != nil {
				t.Fatal(err)
			}
			if err := test.end(d, a); err != nil {
				t.Fatal(err)
			}
			_, err = d.Choice(ctx, l)
			wantErr(t, "Choice", err, test.want)
			_, err = d.OwnMaildrop(ctx, l)
			wantErr(t, "OwnMaildrop", err, test.want)
			wantErr(t, "Confirm", d.Confirm(ctx, l), test.want)
			wantErr(t, "Choose", d.Choose(ctx, l, 20*day), test.want)
			wantErr(t, "ChoosePassword", d.ChoosePassword(ctx, l, "chosen"), test.want)
			if _, err := d.Authenticate(ctx, "alice", "chosen"); (err == nil) != (test.want == nil) {
				t.Errorf("with the chosen password: %v", err)
			}
			e, err := d.read(ctx, a)
			if err != nil {
				t.Fatal(err)
			}
			if text := fmt.Sprintf("%+v", l); e != nil && strings.Contains(text, "$") {
				t.Errorf("the login shows a hash: %s", text)
			}
		})
	}
}

// A login whose password is not in this datacenter yet counts, and a refusal waits for the other datacenters.
func TestLoginFromElsewhere(t *testing.T) {
	here, _ := withDomain(t)
	elsewhere, _ := withDomain(t)
	ctx := t.Context()
	each := &view{Directory: elsewhere.store.Local}
	d, err := New(here.cfg, twoPlaces(here.store.Local, each), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := addAccount(t, elsewhere, "alice@example.test", "before").Address
	login := func(password string) Login {
		t.Helper()
		l, err := d.Authenticate(ctx, "alice@example.test", password)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	before := login("before")
	if err := d.Confirm(ctx, before); err != nil {
		t.Errorf("an account made elsewhere: %v", err)
	}
	each.down = true
	if err := d.Confirm(ctx, before); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, ErrBadCredentials) {
		t.Errorf("nobody else to ask: %v", err)
	}
	each.down = false
	if err := elsewhere.SetPassword(ctx, a, "after"); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "the former password", d.Confirm(ctx, before), ErrBadCredentials)
	after := login("after")
	if err := elsewhere.SetState(ctx, a, store.StateDisabled); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "a disabled account", d.Confirm(ctx, after), ErrDisabled)
	if err := d.Confirm(ctx, before); errors.Is(err, ErrDisabled) {
		t.Errorf("the former password reveals the state: %v", err)
	}
}
