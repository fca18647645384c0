package task_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// lateRig holds a directory with the ended account alice, which has late mail, and the live account
// bob.
type lateRig struct {
	*testing.T
	st         store.Engine
	dir        *account.Directory
	ids        *mail.IDSource
	alice, bob account.Account
	late       []mail.Message
}

const lateSender = "sender@example.org"

func newLateRig(t *testing.T) *lateRig {
	r := &lateRig{T: t, st: openStore(t), ids: mail.NewIDSource(nil)}
	r.dir = newDirectory(t, r.st)
	r.alice, r.bob = newAccount(t, r.dir, "alice"), newAccount(t, r.dir, "bob")
	r.put(r.alice, "")
	removeAccount(t, r.dir, r.alice)
	r.late = []mail.Message{r.put(r.alice, ""), r.put(r.alice, "brought-along")}
	r.put(r.bob, "")
	return r
}

// put stores a message of an account.
func (r *lateRig) put(a account.Account, u mail.UIDL) mail.Message {
	r.Helper()
	m := mail.Message{ID: r.ids.Next(), Recipient: a.Address.String(), UIDL: u}
	content := fmt.Sprintf("Subject: %s\r\n\r\ntext\r\n", m.ID)
	m.Size = int64(len(mail.DeliveryHeader(lateSender, m.Recipient)) + len(content))
	info := store.ContentInfo{ReversePath: lateSender, Mailboxes: []mail.MailboxID{a.Mailbox}}
	if err := storetest.Put(r.Context(), r.st, m.ID, []byte(content), 100, info); err != nil {
		r.Fatal(err)
	}
	if err := r.st.AddMessages(r.Context(), []store.Entry{{Mailbox: a.Mailbox, Message: m}})[0]; err != nil {
		r.Fatal(err)
	}
	return m
}

// octets returns the messages of a mailbox by their unique-ids, as POP3 sends them.
func (r *lateRig) octets(mailbox mail.MailboxID) map[mail.UIDL]string {
	r.Helper()
	drop, err := maildrop.Open(r.Context(), store.Single(r.st).Mail, mailbox, maildrop.Options{})
	if err != nil {
		r.Fatal(err)
	}
	all := map[mail.UIDL]string{}
	for n := 1; n <= drop.Len(); n++ {
		e, err := drop.Entry(n)
		if err != nil {
			r.Fatal(err)
		}
		body, err := drop.Read(r.Context(), n)
		if err != nil {
			r.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil || int64(len(text)) != e.Size {
			r.Errorf("message %d: %d octets, listed are %d; %v", n, len(text), e.Size, err)
		}
		body.Close()
		all[e.UIDL] = string(text)
	}
	return all
}

// The list shows late mail of hosted and of removed domains, and no other mail.
func TestLateMailIsShown(t *testing.T) {
	r := newLateRig(t)
	l := task.NewLate(r.dir, store.Single(r.st), nil, nil)
	for _, domain := range []string{"hosted", "removed"} {
		for _, a := range []mail.Address{r.alice.Address, {}} {
			list, more, err := l.List(t.Context(), a, 10)
			if err != nil || more || len(list) != 2 {
				t.Fatalf("%s, %s: %+v, more %v, %v", domain, a, list, more, err)
			}
			for i, m := range list {
				if m.Address != r.alice.Address || m.Mailbox != r.alice.Mailbox || m.Message != r.late[i] || m.ReversePath != lateSender || m.Ended.IsZero() || m.Displaced {
					t.Errorf("%s, %s: %+v, want %+v", domain, a, m, r.late[i])
				}
			}
			if list, more, err := l.List(t.Context(), a, 1); err != nil || !more || len(list) != 1 {
				t.Errorf("%s, %s, at most 1: %d, more %v, %v", domain, a, len(list), more, err)
			}
		}
		if domain == "hosted" {
			removeAccount(t, r.dir, r.bob)
			if err := r.dir.RemoveDomain(t.Context(), "example.test"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Handing late mail over moves each message into another maildrop, octet for octet and with its
// unique-id, once, with a fault at any point.
func TestLateMailIsHandedOver(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		r := newLateRig(t)
		want := r.octets(r.bob.Mailbox)
		for _, m := range r.late {
			want[m.UniqueID()] = r.octets(r.alice.Mailbox)[m.UniqueID()]
		}
		faulty := wrap(store.Single(r.st))
		l := task.NewLate(r.dir, faulty, nil, nil)
		s := task.LateSelection{Address: r.alice.Address}
		n, err := l.HandOver(t.Context(), s, r.bob.Address)
		if err != nil {
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Errorf("hand over: %v", err)
			}
			if _, err := l.HandOver(t.Context(), s, r.bob.Address); err != nil && !errors.Is(err, task.ErrNotLate) {
				t.Fatalf("hand over again: %v", err)
			}
		} else if n != 2 {
			t.Errorf("%d handed over, want 2", n)
		}
		got := r.octets(r.bob.Mailbox)
		if len(got) != len(want) {
			t.Errorf("bob has %d messages, want %d", len(got), len(want))
		}
		for u, text := range want {
			if got[u] != text {
				t.Errorf("message %s: %q, want %q", u, got[u], text)
			}
		}
		if n := len(r.octets(r.alice.Mailbox)); n != 1 { // from before the removal
			t.Errorf("%d messages are left behind, want 1", n)
		}
		rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, mail.MessageID{}, 10)
		if err != nil || slices.ContainsFunc(rows, func(m mail.Message) bool { return m.ID == r.late[0].ID || m.ID == r.late[1].ID }) {
			t.Errorf("an id was used again: %v, %v", rows, err)
		}
	})
}

// Commands for late mail leave all other mail alone, and refuse to mix the mail of two former owners.
func TestLateMailIsNamedExactly(t *testing.T) {
	r := newLateRig(t)
	ctx := t.Context()
	l := task.NewLate(r.dir, store.Single(r.st), nil, nil)
	for name, s := range map[string]task.LateSelection{
		"a live account":    {Address: r.bob.Address},
		"an unknown one":    {Address: mail.Address{Local: "nobody", Domain: "example.test"}},
		"another's mailbox": {Address: r.alice.Address, Mailbox: r.bob.Mailbox},
		"no such message":   {Address: r.alice.Address, Message: r.ids.Next()},
	} {
		if _, err := l.HandOver(ctx, s, r.bob.Address); !errors.Is(err, task.ErrNotLate) {
			t.Errorf("hand over %s: %v", name, err)
		}
		if _, err := l.Drop(ctx, s); !errors.Is(err, task.ErrNotLate) {
			t.Errorf("drop %s: %v", name, err)
		}
	}
	s := task.LateSelection{Address: r.alice.Address}
	if _, err := l.HandOver(ctx, s, r.alice.Address); !errors.Is(err, account.ErrNoSuchAccount) {
		t.Errorf("to an ended account: %v", err)
	}
	second := newAccount(t, r.dir, "alice")
	removeAccount(t, r.dir, second)
	other := r.put(second, "")
	if _, err := l.Drop(ctx, s); !errors.Is(err, task.ErrSeveralOwners) {
		t.Errorf("of two former accounts: %v", err)
	}
	s.Mailbox = second.Mailbox
	if n, err := l.HandOver(ctx, s, r.bob.Address); err != nil || n != 1 || r.octets(r.bob.Mailbox)[other.UniqueID()] == "" {
		t.Errorf("of the second: %d, %v", n, err)
	}
	if n, err := l.Drop(ctx, task.LateSelection{Address: r.alice.Address, Message: r.late[1].ID}); err != nil || n != 1 {
		t.Errorf("drop a single message: %d, %v", n, err)
	}
	if n := len(r.octets(r.alice.Mailbox)); n != 2 {
		t.Errorf("%d messages are left, want 2", n)
	}
}
