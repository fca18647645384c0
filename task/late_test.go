package task_test

import (
	"context"
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
			list, next, err := l.List(t.Context(), a, "", 10)
			if err != nil || next != "" || len(list) != 2 {
				t.Fatalf("%s, %s: %+v, next %q, %v", domain, a, list, next, err)
			}
			for i, m := range list {
				if m.Address != r.alice.Address || m.Mailbox != r.alice.Mailbox || m.Message != r.late[i] || m.ReversePath != lateSender || m.Ended.IsZero() || m.Displaced {
					t.Errorf("%s, %s: %+v, want %+v", domain, a, m, r.late[i])
				}
			}
			if list, next, err := l.List(t.Context(), a, "", 1); err != nil || next == "" || len(list) != 1 {
				t.Errorf("%s, %s, at most 1: %d, next %q, %v", domain, a, len(list), next, err)
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

// lateIDs walks through the late mail of an address (zero: of all) by pages of limit messages, and calls between
// after each page.
func (r *lateRig) lateIDs(l *task.Late, a mail.Address, limit int, between func()) (ids []mail.MessageID) {
	r.Helper()
	for after := ""; ; {
		list, next, err := l.List(r.Context(), a, after, limit)
		if err != nil || len(list) > limit || next == after && next != "" {
			r.Fatalf("page behind %q: %d messages, next %q, %v", after, len(list), next, err)
		}
		for _, m := range list {
			ids = append(ids, m.Message.ID)
		}
		if after = next; after == "" {
			return ids
		}
		between()
	}
}

// Pages of any length show each late message once: over several addresses, former accounts and domains, while
// mail arrives and goes, and while a domain ends.
func TestLateMailByPages(t *testing.T) {
	r := newLateRig(t)
	ctx := t.Context()
	l := task.NewLate(r.dir, store.Single(r.st), nil, nil)
	for _, domain := range []string{"aaa.test", "zzz.test"} { // around the domain of alice
		if _, err := r.dir.AddDomain(ctx, domain); err != nil {
			t.Fatal(err)
		}
		a, err := r.dir.AddAccount(ctx, mail.Address{Local: "carol", Domain: domain}, "secret word")
		if err != nil {
			t.Fatal(err)
		}
		removeAccount(t, r.dir, a)
		r.late = append(r.late, r.put(a, ""), r.put(a, ""), r.put(a, ""))
	}
	again := newAccount(t, r.dir, "alice")
	removeAccount(t, r.dir, again)
	ofAlice := append(r.late[:2:2], r.put(again, ""), r.put(again, ""))
	want := append(slices.Clone(r.late), ofAlice[2:]...)
	sorted := func(ids []mail.MessageID) []mail.MessageID {
		return slices.SortedFunc(slices.Values(ids), mail.MessageID.Compare)
	}
	for limit := 1; limit <= len(want)+1; limit++ {
		if got := r.lateIDs(l, mail.Address{}, limit, func() {}); !slices.Equal(sorted(got), sorted(idsOf(want))) {
			t.Errorf("by pages of %d: %v, want %v", limit, got, idsOf(want))
		}
		if got := r.lateIDs(l, r.alice.Address, limit, func() {}); !slices.Equal(got, idsOf(ofAlice)) {
			t.Errorf("alice by pages of %d: %v, want %v", limit, got, idsOf(ofAlice))
		}
	}

	page := 0
	got := r.lateIDs(l, mail.Address{}, 1, func() { // the first pages have the mail of aaa.test, of alice then
		switch page++; page {
		case 1:
			if err := r.dir.RemoveDomain(ctx, "aaa.test"); err != nil {
				t.Fatal(err)
			}
		case 4: // the place of the page is a message that goes
			if err := r.st.RemoveMessages(ctx, r.alice.Mailbox, []mail.MessageID{r.late[0].ID}); err != nil {
				t.Fatal(err)
			}
			want = append(want, r.put(again, ""))
		}
	})
	if !slices.Equal(sorted(got), sorted(idsOf(want))) {
		t.Errorf("while the directory changes: %v, want %v", got, idsOf(want))
	}
}

func idsOf(list []mail.Message) []mail.MessageID {
	ids := make([]mail.MessageID, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	return ids
}

// A page reads a bounded number of mailboxes. The page of an address takes no place of another address.
func TestLateMailPagesAreBounded(t *testing.T) {
	r := newLateRig(t)
	ctx := t.Context()
	counting := &countingLists{Mail: r.st}
	st := store.Single(r.st)
	st.Mail.Local = counting
	l := task.NewLate(r.dir, st, nil, nil)
	const gone = 1500
	for i := range gone {
		kind, removed := store.KindAccount, r.ids.Next()
		a := mail.Address{Local: fmt.Sprintf("aaa%d", i), Domain: "example.test"}
		if err := r.st.ChangeAddress(ctx, a, mail.MessageID{}, store.AddressChange{Kind: &kind, Removed: &removed}); err != nil {
			t.Fatal(err)
		}
	}
	list, next, err := l.List(ctx, mail.Address{}, "", 10)
	if err != nil || len(list) != 0 || next == "" || counting.lists > 1010 {
		t.Fatalf("the first page: %d messages, next %q, %v, after %d reads", len(list), next, err, counting.lists)
	}
	if got := r.lateIDs(l, mail.Address{}, 10, func() {}); !slices.Equal(got, idsOf(r.late)) {
		t.Errorf("all pages: %v, want %v", got, idsOf(r.late))
	}
	for _, after := range []string{next, "!", "Zm9v", "YUBiCgoKCg"} {
		if _, _, err := l.List(ctx, r.alice.Address, after, 10); !errors.Is(err, task.ErrBadPage) {
			t.Errorf("the late mail of alice behind %q: %v", after, err)
		}
	}
}

// countingLists counts the lists of mailboxes.
type countingLists struct {
	store.Mail
	lists int
}

func (c *countingLists) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	c.lists++
	return c.Mail.ListMessages(ctx, mailbox, after, limit)
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
