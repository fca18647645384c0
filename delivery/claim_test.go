package delivery_test

import (
	"testing"

	"popelago/store"
)

// TestRepeatWhileSharing: what this server tells the others at the same time as it looks whether
// an attempt is still there does not make it believe that another server has used the attempt.
func TestRepeatWhileSharing(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	w.before = func(operation string) {
		if operation == "HasAttempt" {
			share(t, w.Deliverer)
		}
	}
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// TestRepeatWhileSharingFails: it is so when the attempt cannot be removed at first, too. Then it
// is gone in the end.
func TestRepeatWhileSharingFails(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	want(t, w.send(t, sample, "alice"), "unknown")
	delete(w.add, "alice")
	w.before = func(operation string) {
		if operation == "HasAttempt" {
			_ = w.ShareAttempts(t.Context())
		}
	}
	w.fail["RemoveAttempt"] = store.ErrOutcomeUnknown
	want(t, w.send(t, sample, "alice"), "unknown")
	delete(w.fail, "RemoveAttempt")
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
	share(t, w.Deliverer)
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// newLaggingWorld has two datacenters and an attempt, of a row that was stored, that only the
// first of them knows of; the second answers now.
func newLaggingWorld(t *testing.T) *ledgerWorld {
	w := newOriginWorld(t, shared)
	w.spread(t, w.attempts)
	w.add["alice"] = "unknown"
	want(t, w.send(t, sample, "alice"), "unknown")
	delete(w.add, "alice")
	w.moveTo("dc2")
	w.attempts = map[string]store.Attempt{}
	return w
}

// TestRepeatBeforeItsEntry: a server goes on through another datacenter, which the entry of the
// attempt has not come to yet. It is found where it is.
func TestRepeatBeforeItsEntry(t *testing.T) {
	w := newLaggingWorld(t)
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
}

// TestRepeatUsedElsewhere: what none of the datacenters has any more was used by another server,
// and what that one stored stays.
func TestRepeatUsedElsewhere(t *testing.T) {
	w := newLaggingWorld(t)
	clear(w.each.attempts)
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantRepeated(t, res, false)
	w.wantCopies(t, "alice:2")
}

// TestRepeatWithoutItsEntry: the first datacenter cannot be asked what became of the attempt. Then
// there is a second copy, because the first may have been acknowledged.
func TestRepeatWithoutItsEntry(t *testing.T) {
	w := newLaggingWorld(t)
	w.each.fail["HasAttempt"] = store.ErrUnavailable
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantRepeated(t, res, false)
	w.wantCopies(t, "alice:2")
}
