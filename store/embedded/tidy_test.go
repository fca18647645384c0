package embedded

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
)

// TestListCostIsFlat: after many removals a list passes over few keys that are no messages.
// It counts keys, not time.
func TestListCostIsFlat(t *testing.T) {
	const removed, kept = 20_000, 4
	ctx := t.Context()
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem(), TidyAfter: 4000})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mb := mail.DeriveMailboxID(mail.Address{Local: "a", Domain: "example.test"}, mail.MessageID{})
	ids := mail.NewIDSource(nil)
	live := 0
	for n := 0; n < removed; {
		var entries []store.Entry
		var gone []mail.MessageID
		for range 2500 {
			m := mail.Message{ID: ids.Next(), Size: 1}
			entries = append(entries, store.Entry{Mailbox: mb, Message: m})
			if n++; n%(removed/kept) == 0 {
				live++ // one stays, with removed ones on both sides
				continue
			}
			gone = append(gone, m.ID)
		}
		for _, err := range s.AddMessages(ctx, entries) {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := s.RemoveMessages(ctx, mb, gone); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Sweep(ctx, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	lower, upper := mailboxBounds(mb)
	err = s.read("test", func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer it.Close()
		n := 0
		for valid := it.First(); valid; valid = it.Next() {
			n++
		}
		if n != live {
			return fmt.Errorf("%d rows, want %d", n, live)
		}
		// Sweep leaves fewer removals than that alone, and each is a row and its tombstone.
		if over := passedOver(it.Stats()); over > 2*s.cfg.TidyAfter/sweepDivisor {
			return fmt.Errorf("a list of %d rows passed over %d keys", n, over)
		}
		t.Logf("passed over %d of %d", passedOver(it.Stats()), removed)
		return it.Error()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMarkersArePurged: markers live at least a day by the clock, and then go.
func TestMarkersArePurged(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mb := mail.DeriveMailboxID(mail.Address{Local: "a", Domain: "example.test"}, mail.MessageID{})
	m := mail.Message{ID: mail.NewIDSource(nil).Next(), Size: 1}
	if err := s.RemoveMessages(ctx, mb, []mail.MessageID{m.ID}); err != nil {
		t.Fatal(err)
	}
	markers := func() (n int) {
		t.Helper()
		for _, prefix := range []byte{prefixRemoved, prefixTrash, prefixUnpurged} {
			err := s.scan(ctx, []byte{prefix}, []byte{prefix + 1}, func(k, v []byte) (bool, error) {
				n++
				return true, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 2}, {markerLife - time.Second, 2}, {2 * time.Second, 0}} {
		now = now.Add(step.pass)
		if _, err := s.Sweep(ctx, now.Add(1000*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := markers(); got != step.want {
			t.Fatalf("%v later: %d rows of removals, want %d", step.pass, got, step.want)
		}
	}
}
