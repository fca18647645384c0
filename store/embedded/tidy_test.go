package embedded

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
)

// TestListCostIsFlat: after many removals a list passes over few keys that are no messages. The test counts
// keys, not time.
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
				live++ // the message stays, between removed messages
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
	// Sweep leaves fewer removals than the limit alone. A removal is a row and a tombstone. A table that a compaction has
	// moved only loses them a moment later.
	most, over := 2*s.engine.tidier.limit/sweepDivisor, 0
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if over = listCost(t, s, mb, live); over > most {
			return fmt.Errorf("a list of %d rows passed over %d keys", live, over)
		}
		return nil
	})
	t.Logf("passed over %d of %d", over, removed)
}

// listCost lists a mailbox with some rows, and returns the number of the keys that are no messages.
func listCost(t *testing.T, s *Store, mb mail.MailboxID, rows int) (over int) {
	t.Helper()
	lower, upper := mailboxBounds(mb)
	err := s.engine.link.read("test", func(db *pebble.DB) error {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer it.Close()
		n := 0
		for valid := it.First(); valid; valid = it.Next() {
			n++
		}
		if n != rows {
			return fmt.Errorf("%d rows, want %d", n, rows)
		}
		over = passedOver(it.Stats())
		return it.Error()
	})
	if err != nil {
		t.Fatal(err)
	}
	return over
}

// TestMarkersArePurged: markers stay for at least a day by the clock, and are removed then.
func TestMarkersArePurged(t *testing.T) {
	ctx := t.Context()
	clock := newTestClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mb := mail.DeriveMailboxID(mail.Address{Local: "a", Domain: "example.test"}, mail.MessageID{})
	m := mail.Message{ID: mail.NewIDSource(nil).Next(), Size: 1}
	if err := s.RemoveMessages(ctx, mb, []mail.MessageID{m.ID}); err != nil {
		t.Fatal(err)
	}
	markers := func() int { return countRows(t, s, prefixRemoved, prefixTrash, prefixUnpurged) }
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 2}, {markerAge - time.Second, 2}, {2 * time.Second, 0}} {
		clock.pass(t, s, step.pass)
		if _, err := s.Sweep(ctx, clock.now().Add(1000*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got := markers(); got != step.want {
			t.Fatalf("%v later: %d rows of removals, want %d", step.pass, got, step.want)
		}
	}
}

// TestMarkersStayWithTheContent: the marker of a removal stays as long as a second mailbox keeps the content,
// and is removed with the content.
func TestMarkersStayWithTheContent(t *testing.T) {
	ctx := t.Context()
	clock := newTestClock(time.Now())
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem(), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := mail.MailboxID{1}, mail.MailboxID{2}
	id := shared(t, s, a, b)
	remove := func(mailbox mail.MailboxID) {
		t.Helper()
		if err := s.RemoveMessages(ctx, mailbox, []mail.MessageID{id}); err != nil {
			t.Fatal(err)
		}
	}
	later := func(pass time.Duration) {
		t.Helper()
		clock.pass(t, s, pass)
		if _, err := s.Sweep(ctx, clock.now()); err != nil {
			t.Fatal(err)
		}
	}
	has := func(mailbox mail.MailboxID) bool {
		t.Helper()
		mk := removedKey(mailbox, id)
		found := false
		if err := s.engine.link.read("test", func(db *pebble.DB) (err error) { found, err = has(db, mk[:]); return err }); err != nil {
			t.Fatal(err)
		}
		return found
	}
	remove(a)
	for range 3 {
		later(markerAge + time.Hour)
		if err := addShared(ctx, s, a, id); err != nil {
			t.Fatal(err)
		}
		rows, err := s.ContentRows(ctx, []mail.MessageID{id})
		if err != nil || !slices.Equal(rows[id].Removed, []mail.MailboxID{a}) {
			t.Fatalf("the content says that %v removed it, want %v; %v", rows[id].Removed, a, err)
		}
		if _, err := s.Message(ctx, a, id); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("a removed message is back: %v", err)
		}
	}
	remove(b)
	later(time.Hour)
	if rows, err := s.ContentRows(ctx, []mail.MessageID{id}); err != nil || len(rows) != 0 {
		t.Fatalf("the content after the last removal: %v, %v", rows, err)
	}
	if has(a) || !has(b) {
		t.Errorf("markers: %v of the first, %v of the last; want only the last", has(a), has(b))
	}
	later(markerAge + time.Hour)
	if has(b) {
		t.Error("the last marker stays for ever")
	}
}

// TestCheckSeesABadRow: a check reports an unreadable content row, and continues.
func TestCheckSeesABadRow(t *testing.T) {
	s, err := Open(Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	good, bad := shared(t, s, mail.MailboxID{1}), mail.NewIDSource(nil).Next()
	k := contentKey(bad)
	if err := s.engine.committer.commit(t.Context(), "test", &write{prepare: func(g *group) error { return g.batch.Set(k[:], []byte{rowVersion, 'x'}, nil) }}); err != nil {
		t.Fatal(err)
	}
	page, next, err := s.ListContents(t.Context(), "", 10)
	if err != nil || len(page) != 2 || next != "" {
		t.Fatalf("ListContents: %v, %q, %v", page, next, err)
	}
	for _, c := range page {
		if c.ID == good && c.Damage != nil || c.ID == bad && !errors.Is(c.Damage, store.ErrCorrupt) {
			t.Errorf("content %s: %v", c.ID, c.Damage)
		}
	}
	// RemoveOrphans leaves the damaged content alone.
	if r, err := s.RemoveOrphans(t.Context(), page, time.Now().Add(time.Hour)); err != nil || r.Contents != 0 {
		t.Errorf("RemoveOrphans: %+v, %v", r, err)
	}
}
