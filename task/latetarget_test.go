package task_test

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/task"
)

// putText stores a message with a content for an account.
func (r *lateRig) putText(m mail.Message, mailbox mail.MailboxID, content []byte) mail.Message {
	r.Helper()
	m.Size = int64(len(mail.DeliveryHeader(lateSender, m.Recipient)) + len(content))
	info := store.ContentInfo{ReversePath: lateSender, Mailboxes: []mail.MailboxID{mailbox}}
	if err := storetest.Put(r.Context(), r.st, m.ID, content, 1<<20, info); err != nil {
		r.Fatal(err)
	}
	if err := r.st.AddMessages(r.Context(), []store.Entry{{Mailbox: mailbox, Message: m}})[0]; err != nil {
		r.Fatal(err)
	}
	return m
}

// A copy whose content is damaged behind its begin is no copy: the message is copied again before the original goes.
func TestHandOverWithDamagedCopy(t *testing.T) {
	fs := vfs.NewMem()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	r := &lateRig{T: t, st: st, ids: mail.NewIDSource(nil), dir: newDirectory(t, st)}
	r.alice, r.bob = newAccount(t, r.dir, "alice"), newAccount(t, r.dir, "bob")
	removeAccount(t, r.dir, r.alice)
	content := bytes.Repeat([]byte("a line of text\r\n"), 50_000)
	late := r.putText(mail.Message{ID: r.ids.Next(), Recipient: r.alice.Address.String()}, r.alice.Mailbox, content)
	torn := r.putText(mail.Message{ID: r.ids.Next(), Recipient: late.Recipient, UIDL: late.UniqueID()}, r.bob.Mailbox, content)
	damage(t, fs, torn.ID, func(b []byte) []byte { b[len(b)-5] ^= 1; return b })

	l := task.NewLate(r.dir, store.Single(r.st), r.ids, nil)
	if n, err := l.HandOver(t.Context(), task.LateSelection{Address: r.alice.Address}, r.bob.Address); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, torn.ID, 10)
	if err != nil || len(rows) != 1 || rows[0].UniqueID() != late.UniqueID() {
		t.Fatalf("behind the damaged copy: %v, %v", rows, err)
	}
	if _, got, err := storetest.Read(t.Context(), r.st, rows[0].ID); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the second copy: %d octets, %v", len(got), err)
	}
}

// keeping is a store that removes no message.
type keeping struct{ store.Mail }

func (keeping) RemoveMessages(context.Context, mail.MailboxID, []mail.MessageID) error {
	return store.ErrUnavailable
}

// A message of the maildrop with the unique-id of a late message is a copy only if it is the same message. Otherwise
// both are listed, also if the hand-over is repeated before the original goes.
func TestHandOverWithTakenUniqueID(t *testing.T) {
	const taken = "1"
	text := func(s string) []byte { return []byte("Subject: " + s + "\r\n\r\n") }
	for name, other := range map[string]struct {
		sender, recipient string
		content           []byte
		before            bool // than the late message
	}{
		"another content":          {recipient: "alice@example.test", content: text("another")},
		"another of the same size": {recipient: "alice@example.test", content: text("etal")},
		"another recipient":        {recipient: "bob@example.test", content: text("late")},
		"an earlier message":       {recipient: "alice@example.test", content: text("another"), before: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newLateRig(t)
			first, second := r.ids.Next(), r.ids.Next()
			if other.before {
				first, second = second, first
			}
			late := r.putText(mail.Message{ID: first, Recipient: r.alice.Address.String(), UIDL: taken}, r.alice.Mailbox, text("late"))
			r.putText(mail.Message{ID: second, Recipient: other.recipient, UIDL: taken}, r.bob.Mailbox, other.content)
			want := r.octets(r.bob.Mailbox)
			want[late.ID.UIDL()] = r.octets(r.alice.Mailbox)[taken]

			s := task.LateSelection{Address: r.alice.Address, Message: late.ID}
			l := task.NewLate(r.dir, store.Single(r.st), r.ids, nil)
			stopped := task.NewLate(r.dir, storetest.WithMail(store.Single(r.st), keeping{r.st}), r.ids, nil)
			if _, err := stopped.HandOver(t.Context(), s, r.bob.Address); !errors.Is(err, store.ErrUnavailable) {
				t.Fatal(err)
			}
			if n, err := l.HandOver(t.Context(), s, r.bob.Address); err != nil || n != 1 {
				t.Fatalf("%d, %v", n, err)
			}
			if got := r.octets(r.bob.Mailbox); !maps.Equal(got, want) {
				t.Errorf("bob has %q, want %q", got, want)
			}
			if rows, _, err := r.st.ListMessages(t.Context(), r.bob.Mailbox, mail.MessageID{}, 10); err != nil || len(rows) != len(want) {
				t.Errorf("bob has the rows %v, want %d; %v", rows, len(want), err)
			}
		})
	}
}

// A hand-over reads the list of the maildrop once, not once for each message.
func TestHandOverReadsTheListOnce(t *testing.T) {
	r := newLateRig(t)
	for range 20 {
		r.late = append(r.late, r.put(r.alice, ""))
	}
	counting := &countingLists{Mail: r.st}
	st := store.Single(r.st)
	st.Mail.Local = counting
	l := task.NewLate(r.dir, st, r.ids, nil)
	if n, err := l.HandOver(t.Context(), task.LateSelection{Address: r.alice.Address}, r.bob.Address); err != nil || n != len(r.late) || counting.lists > 1 {
		t.Errorf("%d messages, %v, after %d reads of lists", n, err, counting.lists)
	}
	got := r.octets(r.bob.Mailbox)
	if slices.ContainsFunc(r.late, func(m mail.Message) bool { return got[m.UniqueID()] == "" }) {
		t.Errorf("bob has %v", got)
	}
}
