package cassandra_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// The only node that a server reaches has a clock that is hours ahead. A removal through this server can be undone,
// a check knows the removal, and no search takes the content for an orphan. The content goes when the time of the
// removal has come.
func TestRemovalWhileClocksDisagree(t *testing.T) {
	const ahead = 3 * time.Hour
	clock := &mailtest.Clock{}
	var isLater atomic.Bool // then the rules of statements, which know the clock of this machine, do not fit
	w := openWindowed(t, func(cfg *cassandra.Config) {
		cfg.Now, cfg.Heartbeat, cfg.ClockEvery = clock.Now, time.Hour, time.Hour // no comparison by itself
		cfg.Observe = func(s cassandra.Statement) {
			if !isLater.Load() {
				seen.Observe(s)
			}
		}
	})
	mb := mailbox("disagree")
	old := aged(oldAge, 2)
	listed, bare := w.stored(old[0], mb), w.stored(old[1], mb)
	rows, err := list(t.Context(), w.store, mb)
	if err != nil {
		t.Fatal(err)
	}
	cassandra.OthersAhead(w.store, ahead)
	if err := w.store.Clock(); !errors.Is(err, store.ErrClock) {
		t.Fatalf("the clock: %v", err)
	}
	if err := w.store.RemoveListed(t.Context(), mb, rows[:1]); err != nil {
		t.Fatal(err)
	}
	w.remove(mb, bare)
	cassandra.OthersAhead(w.store, -ahead)

	removed := map[mail.MessageID]bool{}
	for r, err := range w.store.RemovedMessages(t.Context(), mb, time.Now().Add(-time.Hour)) {
		if err != nil {
			t.Fatal(err)
		}
		removed[r.Message.ID] = true
	}
	if !removed[listed] || len(removed) != 1 {
		t.Errorf("%d removed messages are listed, want the first", len(removed))
	}
	found, err := w.store.Trashed(t.Context(), map[mail.MessageID][]mail.MailboxID{listed: {mb}, bare: {mb}})
	if err != nil || len(found[listed]) != 1 || len(found[bare]) != 1 {
		t.Errorf("in the trash: %v, %v; want both messages", found, err)
	}
	if r, err := w.store.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || r.Contents != 0 {
		t.Errorf("SweepOrphans: %+v, %v; want no content", r, err)
	}
	w.sweep(0)
	w.exists(true, old...)

	isLater.Store(true)
	clock.Set(ahead + 2*time.Hour)
	cassandra.OthersAhead(w.store, ahead+2*time.Hour)
	if r, err := w.store.Sweep(t.Context(), clock.Now()); err != nil || r.Contents != 2 || r.Blocked != 0 {
		t.Errorf("Sweep, when the time has come: %+v, %v; want both contents", r, err)
	}
	w.exists(false, old...)
	for _, id := range old {
		if by := w.inTrash(id); len(by) != 0 {
			t.Errorf("left in the trash: %d removals", len(by))
		}
	}
}
