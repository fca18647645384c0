package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
)

func TestMain(m *testing.M) { os.Exit(mailtest.Main(m)) }

// clock is a time moved by a test alone.
type clock struct{ t time.Time }

func newClock() *clock                   { return &clock{time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }
func (c *clock) Now() time.Time          { return c.t }
func (c *clock) advance(d time.Duration) { c.t = c.t.Add(d) }

// cheap returns the settings of a Directory with cheap hashes.
func cheap(c *clock) Config {
	return Config{Argon2Memory: 8, Argon2Time: 1, Now: c.Now, DefaultDomain: "example.test"}
}

func openStore(t *testing.T) store.Engine {
	t.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func newDirectory(t *testing.T, cfg Config, st store.Directory) *Directory {
	t.Helper()
	return newDirectoryOn(t, cfg, store.OneLevel(st))
}

func newDirectoryOn(t *testing.T, cfg Config, st store.Levels[store.Directory]) *Directory {
	t.Helper()
	d, err := New(cfg, st, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// withDomain returns a Directory that hosts example.test.
func withDomain(t *testing.T) (*Directory, *clock) {
	t.Helper()
	c := newClock()
	d := newDirectory(t, cheap(c), openStore(t))
	if _, err := d.AddDomain(t.Context(), "Example.TEST."); err != nil {
		t.Fatal(err)
	}
	return d, c
}

func addr(t *testing.T, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func addAccount(t *testing.T, d *Directory, address, password string) Account {
	t.Helper()
	a, err := d.AddAccount(t.Context(), addr(t, address), password)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: error %v, want %v", what, got, want)
	}
}

func TestDomains(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	_, err := d.AddDomain(ctx, "example.test")
	wantErr(t, "add again", err, ErrExists)
	_, err = d.AddDomain(ctx, "not a domain")
	wantErr(t, "add a bad one", err, mail.ErrBadAddress)
	if _, err := d.AddDomain(ctx, "Bücher.example"); err != nil {
		t.Fatal(err)
	}
	list, err := d.ListDomains(ctx)
	if err != nil || len(list) != 2 || list[0].Name != "example.test" || list[1].Name != "xn--bcher-kva.example" {
		t.Errorf("domains %v, %v", list, err)
	}
	addAccount(t, d, "alice@example.test", "secret")
	wantErr(t, "remove with an account", d.RemoveDomain(ctx, "example.test"), ErrDomainNotEmpty)
	wantErr(t, "remove account", d.RemoveAccount(ctx, addr(t, "alice@example.test")), nil)
	wantErr(t, "remove", d.RemoveDomain(ctx, "EXAMPLE.test"), nil)
	wantErr(t, "remove again", d.RemoveDomain(ctx, "example.test"), ErrNoSuchDomain)
	_, err = d.AddAccount(ctx, addr(t, "alice@example.test"), "secret")
	wantErr(t, "account without domain", err, ErrNoSuchDomain)
	_, _, err = d.Accounts(ctx, "example.test", "", 10)
	wantErr(t, "list without domain", err, ErrNoSuchDomain)
}

func TestResolve(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	a := addAccount(t, d, "alice@example.test", "secret")

	given := mail.Address{Local: "ALICE", Domain: "Example.Test"}
	r, err := d.Resolve(ctx, given)
	if err != nil || r.Address != given || r.Mailbox != a.Mailbox {
		t.Errorf("Resolve = %v, %v; want the address as given and mailbox %v", r, err, a.Mailbox)
	}
	if want := mail.DeriveMailboxID(given, mail.MessageID{}); a.Mailbox != want {
		t.Errorf("mailbox %v, want %v", a.Mailbox, want)
	}
	for _, none := range []mail.Address{
		{Local: "bob", Domain: "example.test"},
		{Local: "alice", Domain: "elsewhere.example"},
		{Local: "alice", Domain: "not a domain"},
		{Local: "", Domain: "example.test"},
		{},
	} {
		_, err := d.Resolve(ctx, none)
		wantErr(t, none.String(), err, ErrNoSuchRecipient)
	}
	wantErr(t, "disable", d.SetState(ctx, a.Address, store.StateDisabled), nil)
	_, err = d.Resolve(ctx, given)
	wantErr(t, "disabled", err, ErrDisabled)
	wantErr(t, "enable", d.SetState(ctx, a.Address, store.StateEnabled), nil)
	_, err = d.Resolve(ctx, given)
	wantErr(t, "enabled again", err, nil)
}

// An account made again after a removal has another mailbox: no owner reads the earlier owner's mail.
func TestGenerations(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	alice := addr(t, "alice@example.test")
	seen := map[mail.MailboxID]bool{}
	for life := range 4 {
		a := addAccount(t, d, "alice@example.test", fmt.Sprintf("secret%d", life))
		if seen[a.Mailbox] {
			t.Fatalf("life %d has the mailbox of an earlier generation", life)
		}
		seen[a.Mailbox] = true
		_, err := d.AddAccount(ctx, alice, "other")
		wantErr(t, "add a second time", err, ErrExists)
		r, err := d.Resolve(ctx, alice)
		if err != nil || r.Mailbox != a.Mailbox {
			t.Errorf("life %d: Resolve = %v, %v; want %v", life, r, err, a.Mailbox)
		}
		if life > 0 {
			_, err = d.Authenticate(ctx, "alice", fmt.Sprintf("secret%d", life-1))
			wantErr(t, "password of the life before", err, ErrBadCredentials)
		}
		wantErr(t, "remove", d.RemoveAccount(ctx, alice), nil)
		wantErr(t, "remove again", d.RemoveAccount(ctx, alice), ErrNoSuchAccount)
		_, err = d.Resolve(ctx, alice)
		wantErr(t, "removed", err, ErrNoSuchRecipient)
		_, err = d.Account(ctx, alice)
		wantErr(t, "removed", err, ErrNoSuchAccount)
	}
	ended := 0
	err := d.RemovedMailboxes(ctx, nil, func(r Generation) error {
		if !seen[r.Mailbox] || r.Row.Address != alice || r.End.IsZero() || r.Status != Ended {
			t.Errorf("unexpected %v", r)
		}
		ended++
		return nil
	})
	if err != nil || ended != len(seen) {
		t.Errorf("%d ended mailboxes, %v; want %d", ended, err, len(seen))
	}
}

// With a clock that went back between two processes, a new generation neither collides with an ended
// generation nor sorts before it.
func TestGenerationsWhenTheClockGoesBack(t *testing.T) {
	st := openStore(t)
	seen := map[mail.MailboxID]bool{}
	for life := range 4 {
		c := newClock()
		c.advance(time.Duration(-life) * 24 * time.Hour)
		d := newDirectory(t, cheap(c), st)
		if life == 0 {
			if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
				t.Fatal(err)
			}
		}
		a := addAccount(t, d, "alice@example.test", "secret")
		if seen[a.Mailbox] {
			t.Fatalf("life %d has the mailbox of an earlier generation", life)
		}
		seen[a.Mailbox] = true
		wantErr(t, "remove", d.RemoveAccount(t.Context(), a.Address), nil)
		_, err := d.Resolve(t.Context(), a.Address)
		wantErr(t, "removed", err, ErrNoSuchRecipient)
	}
}

// Two datacenters cut off from each other may leave two live generations. The newest is the account,
// and its removal does not restore the older generation.
func TestTwoLiveGenerations(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	alice := addr(t, "alice@example.test")
	addAccount(t, d, "alice@example.test", "secret")
	kind, later := store.KindAccount, d.cfg.IDs.Next()
	err := d.store.Local.ChangeAddress(ctx, alice, later, store.AddressChange{Kind: &kind})
	if err != nil {
		t.Fatal(err)
	}
	d.addresses.forget(alice)
	a, err := d.Account(ctx, alice)
	if want := mail.DeriveMailboxID(alice, later); err != nil || a.Mailbox != want {
		t.Errorf("account %v, %v; want mailbox %v", a, err, want)
	}
	wantErr(t, "remove", d.RemoveAccount(ctx, alice), nil)
	_, err = d.Account(ctx, alice)
	wantErr(t, "after removal", err, ErrNoSuchAccount)
}

func TestAccountsPages(t *testing.T) {
	d, _ := withDomain(t)
	ctx := t.Context()
	want := map[string]bool{}
	for i := range 23 {
		name := fmt.Sprintf("user%02d", i)
		addAccount(t, d, name+"@example.test", "secret")
		if i%5 == 0 {
			wantErr(t, "remove", d.RemoveAccount(ctx, addr(t, name+"@example.test")), nil)
			continue
		}
		want[name] = true
	}
	for _, limit := range []int{1, 2, 7, 18, 19, 100} {
		got := map[string]bool{}
		after := ""
		for {
			page, next, err := d.Accounts(ctx, "example.test", after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > limit {
				t.Errorf("limit %d: page of %d", limit, len(page))
			}
			for _, a := range page {
				if got[a.Address.Local] {
					t.Errorf("limit %d: %s twice", limit, a.Address)
				}
				got[a.Address.Local] = true
			}
			if next == "" {
				break
			}
			if len(page) == 0 {
				t.Fatalf("limit %d: an empty page announces a further page", limit)
			}
			after = next
		}
		if len(got) != len(want) {
			t.Errorf("limit %d: %d accounts, want %d", limit, len(got), len(want))
		}
	}
}

func TestNewPasswords(t *testing.T) {
	c := newClock()
	cfg := cheap(c)
	cfg.MinPasswordLength = 4
	d := newDirectory(t, cfg, openStore(t))
	ctx := t.Context()
	if _, err := d.AddDomain(ctx, "example.test"); err != nil {
		t.Fatal(err)
	}
	alice := addr(t, "alice@example.test")
	for _, test := range []struct {
		name, password string
		want           error
	}{
		{"empty", "", ErrBadPassword},
		{"too long", string(make([]byte, MaxPassword+1)), ErrBadPassword},
		{"line end", "sec\nret", ErrBadPassword},
		{"NUL", "sec\x00ret", ErrBadPassword},
		{"C1 control", "sec\u0085ret", ErrBadPassword},
		{"not UTF-8", "secret\xff", ErrBadPassword},
		{"short", "abc", ErrWeakPassword},
		{"short in characters", "äö", ErrWeakPassword},
	} {
		_, err := d.AddAccount(ctx, alice, test.password)
		wantErr(t, test.name, err, test.want)
	}
	for _, password := range []string{"four", "with spaces ", " :;#@\"'", "пароль", "ends in a backslash\\"} {
		name := "alice@example.test"
		if _, err := d.AddAccount(ctx, alice, password); err != nil {
			t.Errorf("%q: %v", password, err)
			continue
		}
		_, err := d.Authenticate(ctx, name, password)
		wantErr(t, password, err, nil)
		wantErr(t, "remove", d.RemoveAccount(ctx, alice), nil)
	}
	wantErr(t, "set for nobody", d.SetPassword(ctx, alice, "secret"), ErrNoSuchAccount)
	wantErr(t, "state of nobody", d.SetState(ctx, alice, store.StateDisabled), ErrNoSuchAccount)
	if d.SetState(ctx, alice, "perhaps") == nil {
		t.Error("a state of no meaning was taken")
	}
}

func TestCancelled(t *testing.T) {
	d, _ := withDomain(t)
	addAccount(t, d, "alice@example.test", "secret")
	for range d.cfg.MaxConcurrentHashes {
		release, err := d.passwords.queue.turn(t.Context(), seat{})
		if err != nil {
			t.Fatal(err)
		}
		defer release()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Authenticate(ctx, "alice", "secret")
	wantErr(t, "all turns taken", err, context.Canceled)
	_, err = d.Authenticate(ctx, "nobody", "secret")
	wantErr(t, "all turns taken", err, context.Canceled)
}
