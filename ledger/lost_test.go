package ledger_test

import (
	"errors"
	"testing"
	"time"

	"popelago/delivery/deliverytest"
	"popelago/store"
)

// TestLostHourIsReadLater: a server that starts reads the attempts behind an hour that cannot be read, and the hour when it
// can be read. Until then the exchange returns the error.
func TestLostHourIsReadLater(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	texts := []string{deliverytest.Sample, "X" + deliverytest.Sample, "Y" + deliverytest.Sample}
	for i, text := range texts {
		deliverytest.Want(t, w.send(t, text, "alice"), "unknown")
		if i == 1 {
			w.lost = map[time.Time]bool{w.clock.Now().UTC().Truncate(time.Hour): true}
		}
		w.clock.pass(time.Hour)
	}
	delete(w.add, "alice")
	started := w.another(t)
	for range 2 {
		if err := started.Ledger.Exchange(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Exchange: %v", err)
		}
	}
	for _, i := range []int{0, 2} {
		deliverytest.WantRepeated(t, w.via(t, started, texts[i], "alice"), true)
	}
	w.lost = nil
	w.clock.pass(time.Minute)
	share(t, started)
	deliverytest.WantRepeated(t, w.via(t, started, texts[1], "alice"), true)
	w.wantCopies(t, "alice:3")
}

// TestLostHourHoldsNoWriteUp: the removals of an hour that cannot be written leave the inserts of other hours alone.
func TestLostHourHoldsNoWriteUp(t *testing.T) {
	w := newLedgerWorld(t, shared)
	other := w.another(t)
	w.lost = map[time.Time]bool{w.clock.Now().UTC().Truncate(time.Hour): true}
	w.add["alice"] = "lost"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	w.clock.pass(time.Hour)
	share(t, w.Server) // under a new moment; the removal of the old moment waits
	w.fail["PutAttempt"] = store.ErrUnavailable
	deliverytest.Want(t, w.send(t, "X"+deliverytest.Sample, "alice"), "unknown")
	delete(w.fail, "PutAttempt")
	delete(w.add, "alice")
	if err := w.Ledger.Exchange(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Exchange: %v", err)
	}
	share(t, other)
	for _, prefix := range []string{"", "X"} {
		deliverytest.WantRepeated(t, w.via(t, other, prefix+deliverytest.Sample, "alice"), true)
	}
	w.wantCopies(t, "alice:2")
	w.lost = nil
	share(t, w.Server)
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}
