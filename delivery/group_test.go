package delivery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/account"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
)

// brokenFor fails to add messages to one mailbox while it is not zero.
type brokenFor struct {
	store.Mail
	mailbox mail.MailboxID
}

func (b *brokenFor) AddMessages(ctx context.Context, entries []store.Entry) []error {
	if b.mailbox.IsZero() {
		return b.Mail.AddMessages(ctx, entries)
	}
	errs := make([]error, len(entries))
	for i, e := range entries {
		if errs[i] = store.ErrUnavailable; e.Mailbox != b.mailbox {
			errs[i] = b.Mail.AddMessages(ctx, entries[i:i+1])[0]
		}
	}
	return errs
}

func withGroup(t *testing.T, o deliverytest.Options) *deliverytest.World {
	t.Helper()
	w := deliverytest.New(t, o)
	members := []mail.Address{deliverytest.Address("alice"), deliverytest.Address("bob")}
	if _, err := w.Directory.AddAlias(t.Context(), deliverytest.Address("team"), store.KindGroup, members); err != nil {
		t.Fatal(err)
	}
	return w
}

// counts returns the messages of some local-parts.
func counts(t *testing.T, w *deliverytest.World, locals ...string) (n []int) {
	t.Helper()
	for _, local := range locals {
		rows, _, err := w.Embedded.ListMessages(t.Context(), deliverytest.Mailbox(local), mail.MessageID{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		n = append(n, len(rows))
	}
	return n
}

// A group has one reply for all members: a failure for one makes the sender repeat, and the others get no
// second copy, by LMTP and by SMTP.
func TestGroupIsRepeatedWithoutSecondCopies(t *testing.T) {
	for name, single := range map[string]bool{"LMTP": false, "SMTP": true} {
		t.Run(name, func(t *testing.T) {
			broken := &brokenFor{}
			w := withGroup(t, deliverytest.Options{Wrap: func(st store.Store) store.Store {
				broken.Mail = st.Mail.Local
				st.Mail = store.OneLevel[store.Mail](broken)
				return st
			}})
			e := w.Envelope(t, "team", "root")
			e.SingleReply = single
			broken.mailbox = deliverytest.Mailbox("bob")
			send := func() []error { return w.Deliver(t.Context(), e, strings.NewReader("S: x\r\n\r\nx\r\n")) }
			if errs := send(); len(errs) != 2 || !errors.Is(errs[0], store.ErrUnavailable) || errs[1] != nil {
				t.Fatalf("%v", errs)
			}
			broken.mailbox = mail.MailboxID{}
			if !single {
				e = w.Envelope(t, "team")
			}
			for _, err := range send() {
				if err != nil {
					t.Errorf("the repetition: %v", err)
				}
			}
			if got := counts(t, w, "alice", "bob", "root"); !slices.Equal(got, []int{1, 1, 1}) {
				t.Errorf("messages: %v", got)
			}
			// What is sent on purpose afterwards is another message.
			for _, err := range send() {
				if err != nil {
					t.Errorf("another message: %v", err)
				}
			}
			if got := counts(t, w, "alice", "bob"); !slices.Equal(got, []int{2, 2}) {
				t.Errorf("messages: %v", got)
			}
		})
	}
}

// A member whose account ends between RCPT and the end of the text misses the mail alone, and nobody is told of
// a failure. Without other members the sender hears of it.
func TestMemberEndsMeanwhile(t *testing.T) {
	w := withGroup(t, deliverytest.Options{})
	e := w.Envelope(t, "team")
	e.SingleReply = true
	remove := func(local string) {
		t.Helper()
		if err := w.Directory.RemoveAccount(t.Context(), deliverytest.Address(local)); err != nil {
			t.Fatal(err)
		}
	}
	remove("bob")
	send := func() error { return w.Deliver(t.Context(), e, strings.NewReader("S: x\r\n\r\nx\r\n"))[0] }
	for range 2 { // the second is no repetition of the first
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	if got := counts(t, w, "alice"); !slices.Equal(got, []int{2}) {
		t.Errorf("messages: %v", got)
	}
	remove("alice")
	if err := send(); !errors.Is(err, account.ErrNoSuchRecipient) {
		t.Errorf("without members: %v", err)
	}
}
