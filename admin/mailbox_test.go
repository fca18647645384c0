package admin_test

import (
	"context"
	"errors"
	"testing"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// beforeRemoval is a directory that calls a function before the first removal of an address.
type beforeRemoval struct {
	store.Directory
	do func()
}

func (b *beforeRemoval) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	if do := b.do; do != nil && c.Removed != nil {
		b.do = nil
		do()
	}
	return b.Directory.ChangeAddress(ctx, a, generation, c)
}

// stopping is a directory that fails after some changes of addresses.
type stopping struct {
	store.Directory
	left int
}

func (s *stopping) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	if s.left--; s.left < 0 {
		return store.ErrUnavailable
	}
	return s.Directory.ChangeAddress(ctx, a, generation, c)
}

// The removal of an account, while another server renames the account, removes no message: the new address has
// the mailbox.
func TestRemovalDuringARename(t *testing.T) {
	ctx := t.Context()
	hook := new(beforeRemoval)
	f := (&fixture{wrap: func(st store.Store) store.Store {
		hook.Directory = st.Directory.Local
		return storetest.WithDirectory(st, hook)
	}}).start(t)
	c := f.unix(t)
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	alice, err := c.AddAccount(ctx, "alice@example.org", "secret1")
	if err != nil {
		t.Fatal(err)
	}
	mailbox := mailboxID(t, alice.Mailbox)
	entry := store.Entry{Mailbox: mailbox, Message: mail.Message{ID: mail.NewIDSource(nil).Next(), Size: 10}}
	if err := errors.Join(f.engine.AddMessages(ctx, []store.Entry{entry})...); err != nil {
		t.Fatal(err)
	}
	hook.do = func() { // the rename has not yet ended the old address
		other, err := account.New(account.Config{}, store.OneLevel[store.Directory](&stopping{f.engine, 2}), nil)
		if err != nil {
			t.Error(err)
			return
		}
		domain := mail.Address{Domain: "example.org"}
		from, to := domain, domain
		from.Local, to.Local = "alice", "bob"
		if _, err := other.Rename(ctx, from, to); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the rename did not stop half way: %v", err)
		}
	}
	if r, err := c.RemoveAccount(ctx, "alice@example.org"); err != nil || !r.Shared || r.Messages != 0 || hook.do != nil {
		t.Errorf("%+v, %v", r, err)
	}
	bob, err := c.Account(ctx, "bob@example.org")
	if err != nil || bob.Mailbox != alice.Mailbox || bob.Messages == nil || *bob.Messages != 1 {
		t.Errorf("%+v, %v", bob, err)
	}
}
