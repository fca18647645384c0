package account

import (
	"errors"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// isFault reports whether err is a fault of the storage, and only a fault.
func isFault(err error) bool {
	for _, no := range []error{
		ErrNoSuchRecipient, ErrDisabled, ErrBadCredentials, ErrExists, ErrNoSuchAccount,
		ErrNoSuchDomain, ErrDomainNotEmpty, ErrBadPassword, ErrWeakPassword, ErrNoBulk,
	} {
		if errors.Is(err, no) {
			return false
		}
	}
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown)
}

// TestFaults fails every storage operation in turn, through the whole history of an account. Every
// failure is reported as a fault, and afterwards the directory agrees with the store.
func TestFaults(t *testing.T) {
	alice := mail.Address{Local: "alice", Domain: "example.test"}
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		ctx := t.Context()
		engine := openStore(t)
		d := newDirectory(t, cheap(newClock()), wrap(store.Single(engine)).Directory.Local)
		// try does one step; after a fault the step may be repeated, and may then report the outcome
		// that the fault left open.
		try := func(what string, do func() error, already error) {
			t.Helper()
			err := do()
			if err == nil {
				return
			}
			if !isFault(err) {
				t.Fatalf("%s: %v is no fault", what, err)
			}
			if err := do(); err != nil && !errors.Is(err, already) {
				t.Fatalf("%s again: %v", what, err)
			}
		}
		// agree compares with a directory on the store itself, without caches or faults.
		agree := func(password string) {
			t.Helper()
			truth := newDirectory(t, cheap(newClock()), engine)
			for _, err := range []func(*Directory) error{
				func(d *Directory) error { _, err := d.Resolve(ctx, alice); return err },
				func(d *Directory) error { _, err := d.Authenticate(ctx, "alice", password); return err },
			} {
				want := err(truth)
				got := err(d)
				if got != nil && isFault(got) {
					got = err(d)
				}
				if !errors.Is(got, want) || want == nil && got != nil {
					t.Errorf("got %v, the store says %v", got, want)
				}
			}
		}
		try("add domain", func() error { _, err := d.AddDomain(ctx, "example.test"); return err }, ErrExists)
		agree("first")
		try("add account", func() error { _, err := d.AddAccount(ctx, alice, "first"); return err }, ErrExists)
		agree("first")
		try("set password", func() error { return d.SetPassword(ctx, alice, "second") }, nil)
		agree("first")
		agree("second")
		try("disable", func() error { return d.SetState(ctx, alice, store.StateDisabled) }, nil)
		agree("second")
		try("enable", func() error { return d.SetState(ctx, alice, store.StateEnabled) }, nil)
		agree("second")
		try("list", func() error {
			list, _, err := d.Accounts(ctx, "example.test", "", 10)
			if err == nil && len(list) != 1 {
				t.Errorf("accounts %v", list)
			}
			return err
		}, nil)
		try("show", func() error { _, err := d.Account(ctx, alice); return err }, nil)
		try("bulk", func() error {
			_, err := d.SetBulk(ctx, alice)
			if errors.Is(err, ErrNoBulk) {
				return nil // the answer of this engine
			}
			return err
		}, nil)
		agree("second")
		try("remove account", func() error { return d.RemoveAccount(ctx, alice) }, ErrNoSuchAccount)
		agree("second")
		try("add again", func() error { _, err := d.AddAccount(ctx, alice, "third"); return err }, ErrExists)
		agree("third")
		try("remove again", func() error { return d.RemoveAccount(ctx, alice) }, ErrNoSuchAccount)
		try("ended mailboxes", func() error {
			n := 0
			err := d.RemovedMailboxes(ctx, nil, func(Generation) error { n++; return nil })
			if err == nil && n != 2 {
				t.Errorf("%d ended mailboxes, want 2", n)
			}
			return err
		}, nil)
		try("remove domain", func() error { return d.RemoveDomain(ctx, "example.test") }, ErrNoSuchDomain)
		if list, err := newDirectory(t, cheap(newClock()), engine).ListDomains(ctx); err != nil || len(list) != 0 {
			t.Errorf("domains %v, %v", list, err)
		}
	})
}
