package embedded

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// shared puts a content of two mailboxes and adds the message to the given mailboxes.
func shared(t *testing.T, s *Store, to ...mail.MailboxID) mail.MessageID {
	t.Helper()
	id := mail.NewIDSource(nil).Next()
	info := store.ContentInfo{Mailboxes: []mail.MailboxID{{1}, {2}}}
	if err := storetest.Put(t.Context(), s, id, []byte("text"), 4, info); err != nil {
		t.Fatal(err)
	}
	for _, mailbox := range to {
		if err := addShared(t.Context(), s, mailbox, id); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func addShared(ctx context.Context, s *Store, mailbox mail.MailboxID, id mail.MessageID) error {
	return s.AddMessages(ctx, []store.Entry{{Mailbox: mailbox, Message: mail.Message{ID: id, Size: 4}}})[0]
}

// TestSweepWaitsForTheLastRemoval: a content stays until the removal from the last of its mailboxes is old
// enough.
func TestSweepWaitsForTheLastRemoval(t *testing.T) {
	clock := newTestClock(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	id := shared(t, s, mail.MailboxID{1}, mail.MailboxID{2})
	for _, mailbox := range []mail.MailboxID{{1}, {2}} {
		if err := s.RemoveMessages(ctx, mailbox, []mail.MessageID{id}); err != nil {
			t.Fatal(err)
		}
		clock.pass(t, s, time.Hour)
	}
	now := clock.now()
	for _, test := range []struct {
		olderThan time.Time
		want      error
	}{
		{now.Add(-90 * time.Minute), nil}, // between the two removals
		{now, store.ErrNotFound},
	} {
		if _, err := s.Sweep(ctx, test.olderThan); err != nil {
			t.Fatal(err)
		}
		if _, _, err := storetest.Read(ctx, s, id); !errors.Is(err, test.want) {
			t.Errorf("after a Sweep of what is older than %v: %v, want %v", test.olderThan, err, test.want)
		}
	}
}

// TestSweepWhileAdding: Sweep finds a content without a mailbox, and the content gets a mailbox before Sweep
// removes it.
func TestSweepWhileAdding(t *testing.T) {
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	id := shared(t, s, mail.MailboxID{1})
	if err := s.RemoveMessages(ctx, mail.MailboxID{1}, []mail.MessageID{id}); err != nil {
		t.Fatal(err)
	}
	commitTogether(t, s,
		func() error { return addShared(ctx, s, mail.MailboxID{2}, id) },
		func() error { _, err := s.Sweep(ctx, time.Now().Add(time.Hour)); return err },
	)
	if _, data, err := storetest.Read(ctx, s, id); err != nil || string(data) != "text" {
		t.Errorf("the message has %q: %v", data, err)
	}
}
