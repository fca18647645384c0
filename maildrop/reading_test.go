package maildrop_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
)

// everywhere is the level Each of two datacenters: it reads the mailboxes and contents of both, the way a read
// at a quorum of every datacenter does. A content that has not arrived is opened where its origin is.
type everywhere struct {
	store.Mail
	other store.Mail
	cut   atomic.Bool
}

func (e *everywhere) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	if e.cut.Load() {
		return nil, false, fmt.Errorf("dc2: %w", store.ErrUnavailable)
	}
	rows, more, err = e.Mail.ListMessages(ctx, mailbox, after, limit)
	if err != nil || more {
		return rows, more, err
	}
	others, _, err := e.other.ListMessages(ctx, mailbox, after, limit)
	for _, o := range others {
		found := false
		for _, r := range rows {
			found = found || r.ID == o.ID
		}
		if !found {
			rows = append(rows, o)
		}
	}
	return rows, false, err
}

func (e *everywhere) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (mail.Message, error) {
	if e.cut.Load() {
		return mail.Message{}, fmt.Errorf("dc2: %w", store.ErrUnavailable)
	}
	if m, err := e.Mail.Message(ctx, mailbox, id); err == nil {
		return m, nil
	}
	return e.other.Message(ctx, mailbox, id)
}

// near is the level Local: contents are also looked up elsewhere, lists are not.
type near struct {
	store.Mail
	each *everywhere
}

func (n near) OpenContent(ctx context.Context, id mail.MessageID, origin string) (store.ContentInfo, io.ReadCloser, error) {
	info, r, err := n.Mail.OpenContent(ctx, id, origin)
	if errors.Is(err, store.ErrNotFound) && !n.each.cut.Load() {
		return n.each.other.OpenContent(ctx, id, origin)
	}
	return info, r, err
}

// A list with the reading level each has the messages that only the other datacenter has yet.
func TestReading(t *testing.T) {
	here, there := openStore(t), openStore(t)
	each := &everywhere{Mail: here, other: there}
	levels := store.Levels[store.Mail]{Local: near{here, each}, Each: each, All: each, Several: true}
	ids := mail.NewIDSource(time.Now)
	text := []byte("Subject: x\r\n\r\nbody\r\n")
	first := add(t, here, ids, text, nil)
	lagging := add(t, there, ids, text, func(m *mail.Message) { m.Origin = "dc2" })
	lists := maildrop.NewLists()
	open := func(r mail.Reading) (*maildrop.Maildrop, error) {
		return maildrop.Open(t.Context(), levels, box, maildrop.Options{Reading: r, Lists: lists})
	}
	want := func(r mail.Reading, messages int, fallback bool) *maildrop.Maildrop {
		t.Helper()
		m, err := open(r)
		if err != nil {
			t.Fatalf("%s: %v", r, err)
		}
		if m.Len() != messages || m.Fallback() != fallback {
			t.Errorf("%s: %d messages, fallback %v; want %d, %v", r, m.Len(), m.Fallback(), messages, fallback)
		}
		return m
	}
	want("", 1, false).Close()
	want(mail.ReadingLocal, 1, false).Close()
	want(mail.ReadingEachOrLocal, 2, false).Close()
	m := want(mail.ReadingEach, 2, false)
	if e, err := m.Entry(2); err != nil || e.UIDL != lagging.UniqueID() {
		t.Errorf("%+v, %v", e, err)
	}
	r, err := m.Read(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if octets, err := io.ReadAll(r); err != nil || int64(len(octets)) != lagging.Size {
		t.Errorf("%d octets, %v", len(octets), err)
	}
	r.Close()

	// The content is out of reach: a fault, and the message is not called removed.
	each.cut.Store(true)
	if _, err := m.Read(t.Context(), 2); !errors.Is(err, store.ErrUnavailable) || errors.Is(err, maildrop.ErrRemoved) {
		t.Errorf("read while cut off: %v", err)
	}
	m.Close()
	if _, err := open(mail.ReadingEach); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("each while cut off: %v", err)
	}
	want(mail.ReadingLocal, 1, false).Close()
	m = want(mail.ReadingEachOrLocal, 1, true)
	if e, err := m.Entry(1); err != nil || e.UIDL != first.UniqueID() {
		t.Errorf("%+v, %v", e, err)
	}
	m.Close()
	if n := lists.Octets(); n != 0 {
		t.Errorf("%d octets of lists are left", n)
	}
}

// cutLater is a level whose datacenter becomes unreachable after the first page of a list.
type cutLater struct {
	store.Mail
	pages int
}

func (c *cutLater) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, _ int) ([]mail.Message, bool, error) {
	if c.pages++; c.pages > 1 {
		return nil, false, store.ErrUnavailable
	}
	return c.Mail.ListMessages(ctx, mailbox, after, 2)
}

// A fallback in the middle of a list begins anew, and lists no message twice.
func TestFallbackInTheMiddle(t *testing.T) {
	here := openStore(t)
	ids := mail.NewIDSource(time.Now)
	for range 5 {
		add(t, here, ids, []byte("Subject: x\r\n\r\n"), nil)
	}
	levels := store.Levels[store.Mail]{Local: here, Each: &cutLater{Mail: here}, All: here, Several: true}
	lists := maildrop.NewLists()
	m, err := maildrop.Open(t.Context(), levels, box, maildrop.Options{Reading: mail.ReadingEachOrLocal, Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	if count, octets := m.Stat(); count != 5 || !m.Fallback() || octets == 0 || m.MarkedOctets() != 0 {
		t.Errorf("%d messages, fallback %v", count, m.Fallback())
	}
	if err := m.Mark(3); err != nil {
		t.Fatal(err)
	}
	if e, _ := m.Entry(1); m.MarkedOctets() != e.Size {
		t.Errorf("%d octets are marked, a message has %d", m.MarkedOctets(), e.Size)
	}
	m.Close()
	if n := lists.Octets(); n != 0 {
		t.Errorf("%d octets of lists are left", n)
	}
}
