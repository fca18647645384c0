package ledger_test

import (
	"testing"

	"popelago/delivery/deliverytest"
	"popelago/store"
)

// TestRepeatWhileSharing: an exchange during a claim does not make the server believe that another
// server has used the attempt.
func TestRepeatWhileSharing(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	w.before = func(operation string) {
		if operation == "HasAttempt" {
			share(t, w.Server)
		}
	}
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// TestRepeatWhileSharingFails: the same when the first removal of the attempt fails. A later removal
// succeeds.
func TestRepeatWhileSharingFails(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	delete(w.add, "alice")
	w.before = func(operation string) {
		if operation == "HasAttempt" {
			_ = w.Ledger.Exchange(t.Context())
		}
	}
	w.fail["RemoveAttempt"] = store.ErrOutcomeUnknown
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	delete(w.fail, "RemoveAttempt")
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
	share(t, w.Server)
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// newLaggingWorld has two datacenters and an attempt with a stored row. Only the first datacenter has
// the attempt; the second datacenter answers.
func newLaggingWorld(t *testing.T) *ledgerWorld {
	w := newOriginWorld(t, shared)
	w.spread(t, w.attempts)
	w.add["alice"] = "unknown"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	delete(w.add, "alice")
	w.moveTo("dc2")
	w.attempts = map[string]store.Attempt{}
	return w
}

// TestRepeatBeforeItsEntry: a server fails over to a datacenter without the attempt. The ledger finds
// the attempt in the first datacenter.
func TestRepeatBeforeItsEntry(t *testing.T) {
	w := newLaggingWorld(t)
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
}

// TestRepeatUsedElsewhere: an attempt missing in every datacenter was used by another server, whose
// rows stay.
func TestRepeatUsedElsewhere(t *testing.T) {
	w := newLaggingWorld(t)
	clear(w.each.attempts)
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, false)
	w.wantCopies(t, "alice:2")
}

// TestRepeatWithoutItsEntry: the first datacenter cannot be reached. The repetition stores a second
// copy, because the first copy may have been acknowledged.
func TestRepeatWithoutItsEntry(t *testing.T) {
	w := newLaggingWorld(t)
	w.each.fail["HasAttempt"] = store.ErrUnavailable
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, false)
	w.wantCopies(t, "alice:2")
}
