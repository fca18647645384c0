package embedded

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
)

// TestAddAndRemoveInOneGroup: an addition and a removal of the same message become durable
// with the same fsync, in either order; the removal wins.
func TestAddAndRemoveInOneGroup(t *testing.T) {
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	mailbox, ids := mail.MailboxID{1}, mail.NewIDSource(nil)
	for _, addFirst := range []bool{false, true} {
		id := ids.Next()
		remove := func() error { return s.RemoveMessages(ctx, mailbox, []mail.MessageID{id}) }
		add := func() error {
			return s.AddMessages(ctx, []store.Entry{{Mailbox: mailbox, Message: mail.Message{ID: id, Size: 1}}})[0]
		}
		order := []func() error{remove, add}
		if addFirst {
			order = []func() error{add, remove}
		}
		commitTogether(t, s, order...)
		if _, err := s.Message(ctx, mailbox, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("addition first: %v: the removed message is there: %v", addFirst, err)
		}
	}
}

// TestWriteOutlivesItsCaller: a write whose caller stopped waiting is still done, with the values of the call.
func TestWriteOutlivesItsCaller(t *testing.T) {
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mailbox, source := mail.MailboxID{1}, mail.NewIDSource(nil)
	asked, other, added := source.Next(), source.Next(), source.Next()
	entry := func(id mail.MessageID) store.Entry {
		return store.Entry{Mailbox: mailbox, Message: mail.Message{ID: id, Size: 1}}
	}
	if err := errors.Join(s.AddMessages(t.Context(), []store.Entry{entry(asked), entry(other)})...); err != nil {
		t.Fatal(err)
	}
	text, err := s.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer text.Discard()
	if _, err := text.Write([]byte("x\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutContent(t.Context(), added, text, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
		t.Fatal(err)
	}
	ids := []mail.MessageID{asked}
	for what, do := range map[string]func(context.Context) error{
		"RemoveMessages": func(ctx context.Context) error { return s.RemoveMessages(ctx, mailbox, ids) },
		"AddMessages":    func(ctx context.Context) error { return s.AddMessages(ctx, []store.Entry{entry(added)})[0] },
	} {
		release := holdCommitter(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- do(ctx) }()
		waitWrites(t, s, 1)
		cancel()
		if what == "RemoveMessages" {
			if err := <-done; !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Fatalf("%s: %v, want %v", what, err, store.ErrOutcomeUnknown)
			}
			ids[0] = other // the slice belongs to the caller again
			release()
			continue
		}
		release() // at the same moment
		if err := <-done; err != nil && !errors.Is(err, store.ErrOutcomeUnknown) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil { // after all earlier writes
		t.Fatal(err)
	}
	rows, _, err := s.ListMessages(t.Context(), mailbox, mail.MessageID{}, 10)
	if err != nil || len(rows) != 2 || rows[0].ID != other || rows[1].ID != added {
		t.Errorf("%v: %v, want %v and %v", rows, err, other, added)
	}
}

// holdCommitter holds the committer up until release.
func holdCommitter(t *testing.T, s *Store) (release func()) {
	t.Helper()
	begun, hold, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.engine.committer.commit(t.Context(), "wait", &write{prepare: func(*group) error {
			close(begun)
			<-hold
			return nil
		}})
	}()
	<-begun
	return func() {
		t.Helper()
		close(hold)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// waitWrites waits until n writes wait for the committer.
func waitWrites(t *testing.T, s *Store, n int) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if got := len(s.engine.committer.writes); got != n {
			return fmt.Errorf("%d writes are waiting, want %d", got, n)
		}
		return nil
	})
}

// commitTogether holds the committer up until all the writes are waiting, in order, and releases the
// committer then.
func commitTogether(t *testing.T, s *Store, writes ...func() error) {
	t.Helper()
	release := holdCommitter(t, s)
	results := make(chan error, len(writes))
	for i, do := range writes {
		go func() { results <- do() }()
		waitWrites(t, s, i+1)
	}
	release()
	for range writes {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
