package embedded_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// TestSweepAfterUnknownOutcome sweeps after an AddMessages whose caller stopped waiting and never tried
// again, although the message became durable in the end: the message keeps its content.
func TestSweepAfterUnknownOutcome(t *testing.T) {
	fs := newFaultFS(vfs.NewMem())
	s := open(t, small(fs))
	defer s.Close()
	// The small content stays in the database, the large content is a file.
	for _, size := range []int{1000, 50_000} {
		id := mail.NewIDSource(nil).Next()
		ctx, cancel := context.WithCancel(t.Context())
		var release chan struct{}
		fs.set(func(op, name string) error {
			if op == "sync" && strings.HasSuffix(name, ".log") && ctx.Err() == nil {
				release = make(chan struct{})
				cancel() // the caller stops waiting
				<-release
			}
			return nil
		})
		err := deliver(ctx, s, id, benchMailbox(0), ledgerData(id, size))
		if !errors.Is(err, store.ErrOutcomeUnknown) {
			t.Fatalf("%d octets: %v, want %v", size, err, store.ErrOutcomeUnknown)
		}
		close(release)
		// Writes are done in order: after PutDomain the outcome of the delivery is decided.
		if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Message(t.Context(), benchMailbox(0), id); err != nil {
			t.Fatalf("%d octets: the message should have become durable: %v", size, err)
		}
		if _, err := s.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, data, err := storetest.Read(t.Context(), s, id); err != nil || len(data) != size {
			t.Errorf("%d octets: after Sweep the listed message has %d octets: %v", size, len(data), err)
		}
	}
}

// TestAddAgainAfterUnknownOutcome repeats an AddMessages that failed without putting the
// content again.
func TestAddAgainAfterUnknownOutcome(t *testing.T) {
	fs := newFaultFS(vfs.NewMem())
	s := open(t, small(fs))
	defer s.Close()
	l := newLedger(t.Context())
	for _, size := range []int{1000, 50_000} {
		id := l.ids.Next()
		fs.set(func(op, name string) error {
			if op == "write" && strings.HasSuffix(name, ".log") {
				return syscall.EIO
			}
			return nil
		})
		err := deliver(t.Context(), s, id, benchMailbox(0), ledgerData(id, size))
		if !errors.Is(err, store.ErrOutcomeUnknown) {
			t.Fatalf("%d octets: %v, want %v", size, err, store.ErrOutcomeUnknown)
		}
		fs.set(nil)
		err = l.retry(func() error {
			return s.AddMessages(t.Context(), []store.Entry{{Mailbox: benchMailbox(0), Message: mail.Message{ID: id, Size: int64(size)}}})[0]
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, data, err := storetest.Read(t.Context(), s, id); err != nil || len(data) != size {
			t.Errorf("%d octets: the message has %d octets: %v", size, len(data), err)
		}
	}
}
