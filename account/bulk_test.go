package account

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// bulky is a directory with bulk mailboxes.
type bulky struct {
	store.Directory
	clock  *clock
	window time.Duration

	marked              []mail.MailboxID
	markErr, addressErr error
}

func (s *bulky) SetBulk(_ context.Context, mailbox mail.MailboxID) (time.Time, error) {
	if s.markErr != nil {
		return time.Time{}, s.markErr
	}
	s.marked = append(s.marked, mailbox)
	return s.clock.Now().Add(s.window).UTC(), nil
}

func (s *bulky) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	if c.Bulk != nil && s.addressErr != nil {
		return s.addressErr
	}
	return s.Directory.ChangeAddress(ctx, a, generation, c)
}

// withBulk returns a Directory on a store with bulk mailboxes and a window of an hour.
func withBulk(t *testing.T) (*Directory, *bulky) {
	t.Helper()
	c := newClock()
	st := &bulky{Directory: openStore(t), clock: c, window: time.Hour}
	d := newDirectory(t, cheap(c), st)
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	return d, st
}

// wantBulk checks the moment of bulk of an account's mailbox, in the store and in the recipient of a
// delivery.
func wantBulk(t *testing.T, what string, d *Directory, a mail.Address, want time.Time) {
	t.Helper()
	if got, err := d.Account(t.Context(), a); err != nil || !got.Bulk.Equal(want) {
		t.Errorf("%s: the account is %+v, %v; want bulk since %v", what, got, err, want)
	}
	if got, err := d.Resolve(t.Context(), a); err != nil || !got.Bulk.Equal(want) {
		t.Errorf("%s: resolved to %+v, %v; want bulk since %v", what, got, err, want)
	}
}

// A mailbox that becomes bulk while a rename has stopped half way is bulk under the new address, too.
func TestSetBulkDuringRename(t *testing.T) {
	d, _ := withBulk(t)
	ctx := t.Context()
	ann, anna := addAccount(t, d, "ann@example.test", "secret").Address, addr(t, "anna@example.test")
	renameHalf(t, d, ann, anna)
	since, err := d.SetBulk(ctx, ann)
	if err != nil {
		t.Fatal(err)
	}
	renamed(t, d, ann.String(), anna.String())
	wantBulk(t, "renamed", d, anna, since)
}

func TestSetBulk(t *testing.T) {
	d, st := withBulk(t)
	ctx := t.Context()
	other := newDirectory(t, d.cfg, st)
	a, b := addAccount(t, d, "alice@example.test", "secret"), addAccount(t, d, "bob@example.test", "secret")
	wantBulk(t, "at first", d, a.Address, time.Time{})
	if _, err := other.Resolve(ctx, a.Address); err != nil {
		t.Fatal(err)
	}

	want := st.clock.Now().Add(time.Hour)
	for range 2 {
		since, err := d.SetBulk(ctx, addr(t, "Alice@EXAMPLE.test"))
		if err != nil || !since.Equal(want) {
			t.Errorf("bulk since %v, %v; want %v", since, err, want)
		}
		wantBulk(t, "then", d, a.Address, want)
		st.clock.advance(d.cfg.CacheTTL / 4)
	}
	if !slices.Equal(st.marked, []mail.MailboxID{a.Mailbox}) {
		t.Errorf("marked %v, want %v once", st.marked, a.Mailbox)
	}
	wantBulk(t, "another account", d, b.Address, time.Time{})
	// Another server trusts its cache for a while, but not until the moment of bulk.
	if r, err := other.Resolve(ctx, a.Address); err != nil || !r.Bulk.IsZero() {
		t.Errorf("another server: %+v, %v", r, err)
	}
	st.clock.advance(d.cfg.CacheTTL)
	wantBulk(t, "on another server", other, a.Address, want)

	_, err := d.SetBulk(ctx, addr(t, "nobody@example.test"))
	wantErr(t, "nobody", err, ErrNoSuchAccount)
	_, err = d.SetBulk(ctx, mail.Address{})
	wantErr(t, "no address", err, mail.ErrBadAddress)

	// The next account of the address has another mailbox.
	wantErr(t, "remove", d.RemoveAccount(ctx, a.Address), nil)
	_, err = d.SetBulk(ctx, a.Address)
	wantErr(t, "a removed account", err, ErrNoSuchAccount)
	addAccount(t, d, "alice@example.test", "secret")
	wantBulk(t, "the next account", d, a.Address, time.Time{})
}

// With long-lived caches a mailbox becomes bulk when no cache can hold an old row.
func TestSetBulkWaitsForCaches(t *testing.T) {
	for ttl, want := range map[time.Duration]time.Duration{
		-1: time.Hour, 29 * time.Minute: time.Hour, 31 * time.Minute: 62 * time.Minute, 3 * time.Hour: 6 * time.Hour,
	} {
		_, st := withBulk(t)
		cfg := cheap(st.clock)
		cfg.CacheTTL = ttl
		d := newDirectory(t, cfg, st)
		a := addAccount(t, d, "alice@example.test", "secret").Address
		since, err := d.SetBulk(t.Context(), a)
		if err != nil || since.Sub(st.clock.Now()) != want {
			t.Errorf("rows are believed for %v: bulk in %v, %v; want %v", ttl, since.Sub(st.clock.Now()), err, want)
		}
		wantBulk(t, "then", d, a, since)
	}
}

// After a fault at any point, deliveries see the mailbox as bulk only if it has the marker, and the
// change can be repeated.
func TestSetBulkFails(t *testing.T) {
	d, st := withBulk(t)
	a := addAccount(t, d, "alice@example.test", "secret")
	for _, fault := range []error{store.ErrUnavailable, store.ErrOutcomeUnknown} {
		st.markErr = fault
		_, err := d.SetBulk(t.Context(), a.Address)
		wantErr(t, "without a marker", err, fault)
		st.markErr, st.addressErr = nil, fault
		_, err = d.SetBulk(t.Context(), a.Address)
		wantErr(t, "without a row", err, fault)
		wantBulk(t, "without a row", d, a.Address, time.Time{})
		st.addressErr = nil
	}
	st.clock.advance(3 * time.Hour)
	since, err := d.SetBulk(t.Context(), a.Address)
	if err != nil || since.Sub(st.clock.Now()) != time.Hour {
		t.Errorf("in the end: bulk since %v, %v", since, err)
	}
	wantBulk(t, "in the end", d, a.Address, since)
	if len(st.marked) != 3 {
		t.Errorf("marked %d times, want 3", len(st.marked))
	}
}

func TestNoBulk(t *testing.T) {
	d, _ := withDomain(t)
	a := addAccount(t, d, "alice@example.test", "secret")
	_, err := d.SetBulk(t.Context(), a.Address)
	wantErr(t, "an engine without bulk mailboxes", err, ErrNoBulk)
	_, _, err = d.SetBulkByRecipient(t.Context(), "alice@example.test", a.Mailbox)
	wantErr(t, "an engine without bulk mailboxes", err, ErrNoBulk)
	wantBulk(t, "then", d, a.Address, time.Time{})
}

func TestSetBulkByRecipient(t *testing.T) {
	d, st := withBulk(t)
	ctx := t.Context()
	alice, bob := addAccount(t, d, "alice@example.test", "secret"), addAccount(t, d, "b@b@example.test", "secret")
	removed := addAccount(t, d, "carol@example.test", "secret")
	wantErr(t, "remove", d.RemoveAccount(ctx, removed.Address), nil)
	addAccount(t, d, "carol@example.test", "secret")
	for what, c := range map[string]struct {
		recipient string
		mailbox   mail.MailboxID
	}{
		"no address":               {"alice", alice.Mailbox},
		"nobody":                   {"nobody@example.test", alice.Mailbox},
		"another domain":           {"alice@example.org", alice.Mailbox},
		"another's mailbox":        {"alice@example.test", bob.Mailbox},
		"of an account that ended": {"carol@example.test", removed.Mailbox},
	} {
		a, since, err := d.SetBulkByRecipient(ctx, c.recipient, c.mailbox)
		if err != nil || !since.IsZero() || !a.IsZero() || len(st.marked) > 0 {
			t.Errorf("%s: %v bulk since %v, %v; marked %v", what, a, since, err, st.marked)
		}
	}
	st.markErr = store.ErrUnavailable
	_, _, err := d.SetBulkByRecipient(ctx, "alice@example.test", alice.Mailbox)
	wantErr(t, "while the store is away", err, store.ErrUnavailable)
	st.markErr = nil
	want := st.clock.Now().Add(time.Hour)
	for recipient, account := range map[string]Account{"Alice@Example.TEST": alice, `"b@b"@example.test`: bob} {
		a, since, err := d.SetBulkByRecipient(ctx, recipient, account.Mailbox)
		if err != nil || a != account.Address || !since.Equal(want) {
			t.Errorf("%s: %v bulk since %v, %v", recipient, a, since, err)
		}
		wantBulk(t, recipient, d, account.Address, want)
		if a, since, err = d.SetBulkByRecipient(ctx, recipient, account.Mailbox); err != nil || !since.IsZero() || !a.IsZero() {
			t.Errorf("%s again: %v bulk since %v, %v", recipient, a, since, err)
		}
	}
	if len(st.marked) != 2 {
		t.Errorf("marked %v, want two", st.marked)
	}
	broken := newDirectory(t, d.cfg, unreadable{st})
	if _, _, err := broken.SetBulkByRecipient(ctx, "alice@example.test", alice.Mailbox); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("while rows cannot be read: %v", err)
	}
}

// unreadable is a directory whose address rows cannot be read.
type unreadable struct{ store.Directory }

func (unreadable) AddressRows(context.Context, mail.Address) ([]store.Address, error) {
	return nil, store.ErrUnavailable
}
