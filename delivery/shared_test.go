package delivery_test

import (
	"testing"
	"time"

	"popelago/store"
)

// TestUncertainClaimTold: after a claim of unknown outcome nothing is written under the id, also
// when the other servers were told of the attempt meanwhile.
func TestUncertainClaimTold(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	w.fail["RemoveAttempt"] = store.ErrOutcomeUnknown
	want(t, w.send(t, sample, "alice"), "unknown")
	delete(w.fail, "RemoveAttempt")
	share(t, w.Deliverer)
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestReplyLostTooLate: the sender has tried again before the server notices that it did not read
// the reply. Then the same text is another message.
func TestReplyLostTooLate(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["bob"] = "unavailable"
	first := w.sendLMTP(t, sample, "alice", "bob")
	want(t, first, "ok", "unavailable")
	w.add["bob"] = "lost"
	first = w.sendLMTP(t, "X"+sample, "alice", "bob")
	want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	want(t, w.sendLMTP(t, "X"+sample, "bob"), "ok")
	w.ReplyLost(t.Context(), first)
	wantRepeated(t, w.sendLMTP(t, "X"+sample, "bob"), false)
}

// TestSpentBeforeItIsTold: an attempt that the store could not be told of, and that is used up, is
// not written afterwards.
func TestSpentBeforeItIsTold(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"], w.fail["PutAttempt"] = "lost", store.ErrUnavailable
	want(t, w.send(t, sample, "alice"), "unknown")
	w.add, w.fail = map[string]string{}, map[string]error{}
	want(t, w.send(t, sample, "alice"), "ok")
	share(t, w.Deliverer)
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// TestClaimOfSeveralFails: a trial repeats two attempts, and the store fails while the one or the
// other is claimed. Both are known in the next trial.
func TestClaimOfSeveralFails(t *testing.T) {
	for failing := 1; failing <= 2; failing++ {
		w := newLedgerWorld(t, shared)
		other := w.another(t)
		w.add["alice"] = "unknown"
		want(t, w.send(t, sample, "alice"), "unknown")
		want(t, w.via(t, other, sample, "alice"), "unknown")
		delete(w.add, "alice")
		share(t, w.Deliverer, other)
		n := 0
		w.before = func(operation string) {
			if operation != "HasAttempt" {
				return
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.fail, "HasAttempt")
			if n++; n == failing-1 {
				w.fail["HasAttempt"] = store.ErrUnavailable
			}
		}
		if failing == 1 {
			w.fail["HasAttempt"] = store.ErrUnavailable
		}
		want(t, w.send(t, sample, "alice"), "unavailable")
		w.before = nil
		delete(w.fail, "HasAttempt")
		want(t, w.send(t, sample, "alice"), "ok")
		w.wantCopies(t, "alice:1")
	}
}

// TestToldWhileMoving: statements begin to go through another datacenter, or come back, while an
// attempt is written or read: it is not known which of the two has it, so both are asked.
func TestToldWhileMoving(t *testing.T) {
	for _, operation := range []string{"PutAttempt", "Attempts"} {
		t.Run(operation, func(t *testing.T) {
			w := newOriginWorld(t, shared)
			w.spread(t, w.attempts)
			other := w.another(t)
			move := func(at string) {
				if at == operation {
					w.moveTo("dc2")
				}
			}
			w.add["alice"] = "unknown"
			if operation == "PutAttempt" {
				w.before = move
			}
			want(t, w.send(t, sample, "alice"), "unknown")
			delete(w.add, "alice")
			w.before = move
			d := w.Deliverer
			if operation == "Attempts" {
				d = other
				share(t, other)
			}
			w.before = nil
			w.moveTo("dc1")
			w.attempts = map[string]store.Attempt{} // it was dc2
			res := w.via(t, d, sample, "alice")
			want(t, res, "ok")
			wantRepeated(t, res, true)
			w.wantCopies(t, "alice:1")
		})
	}
}

// TestLedgerForgetsWhatIsOver: an attempt whose time is over takes no room.
func TestLedgerForgetsWhatIsOver(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	want(t, w.send(t, sample, "alice"), "unknown")
	if n := w.metric(t, "attempts"); n != 1 {
		t.Errorf("%v attempts are remembered, want 1", n)
	}
	w.clock.pass(30 * 24 * time.Hour)
	clear(w.attempts)
	share(t, w.Deliverer)
	if n := w.metric(t, "attempts"); n != 0 {
		t.Errorf("%v attempts are remembered when their time is over", n)
	}
}
