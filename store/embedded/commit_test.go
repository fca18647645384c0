package embedded

import (
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

// commitTogether holds the committer up until all the writes are waiting, in their order, and
// then lets them go.
func commitTogether(t *testing.T, s *Store, writes ...func() error) {
	t.Helper()
	begun, release := make(chan struct{}), make(chan struct{})
	results := make(chan error, 1+len(writes))
	go func() {
		results <- s.commit(t.Context(), "wait", &write{prepare: func(*group) error {
			close(begun)
			<-release
			return nil
		}})
	}()
	<-begun
	for i, do := range writes {
		go func() { results <- do() }()
		mailtest.WaitFor(t, 10*time.Second, func() error {
			if n := len(s.writes); n != i+1 {
				return fmt.Errorf("%d writes are waiting, want %d", n, i+1)
			}
			return nil
		})
	}
	close(release)
	for range 1 + len(writes) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
