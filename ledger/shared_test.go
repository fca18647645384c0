package ledger_test

import (
	"testing"
	"time"

	"popelago/delivery/deliverytest"
	"popelago/store"
)

// TestUncertainClaimTold: after a claim of unknown outcome nothing is written under the id, even if
// the attempt was inserted again since.
func TestUncertainClaimTold(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	w.fail["RemoveAttempt"] = store.ErrOutcomeUnknown
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	delete(w.fail, "RemoveAttempt")
	share(t, w.Server)
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestReplyLostTooLate: the sender repeats before the server notices the lost reply. After that the
// same text is another message.
func TestReplyLostTooLate(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["bob"] = "unavailable"
	first := w.sendLMTP(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "ok", "unavailable")
	w.add["bob"] = "lost"
	first = w.sendLMTP(t, "X"+deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	deliverytest.Want(t, w.sendLMTP(t, "X"+deliverytest.Sample, "bob"), "ok")
	w.ReplyLost(t.Context(), first)
	deliverytest.WantRepeated(t, w.sendLMTP(t, "X"+deliverytest.Sample, "bob"), false)
}

// TestReplyLostTooLateForSome: a delivery repeats two attempts, the sender repeats the second alone, and then
// the server notices the lost reply. The first attempt stays known.
func TestReplyLostTooLateForSome(t *testing.T) {
	for _, change := range []func(*deliverytest.Options){nil, shared} {
		w := newLedgerWorld(t, change)
		for _, local := range []string{"carol", "dave"} {
			if _, err := w.Directory.AddAccount(t.Context(), deliverytest.Address(local), "secret"); err != nil {
				t.Fatal(err)
			}
		}
		for _, locals := range [][]string{{"alice", "bob"}, {"carol", "dave"}} {
			w.add[locals[0]], w.add[locals[1]] = "lost", "lost"
			deliverytest.Want(t, w.sendLMTP(t, deliverytest.Sample, locals...), "unknown", "unknown")
		}
		w.add = map[string]string{}
		first := w.sendLMTP(t, deliverytest.Sample, "alice", "carol")
		deliverytest.Want(t, first, "ok", "ok")
		deliverytest.WantRepeated(t, w.sendLMTP(t, deliverytest.Sample, "dave"), true)
		w.ReplyLost(t.Context(), first)
		for _, local := range []string{"bob", "alice"} {
			deliverytest.WantRepeated(t, w.sendLMTP(t, deliverytest.Sample, local), true)
		}
		w.wantCopies(t, "alice:1 bob:1 carol:1 dave:1")
	}
}

// TestSpentBeforeItIsTold: a used attempt whose insert failed is not inserted afterwards.
func TestSpentBeforeItIsTold(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"], w.fail["PutAttempt"] = "lost", store.ErrUnavailable
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	w.add, w.fail = map[string]string{}, map[string]error{}
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "ok")
	share(t, w.Server)
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// TestClaimOfSeveralFails: a delivery repeats two attempts, and the store fails during the claim of
// the first or the second. The next delivery finds both attempts.
func TestClaimOfSeveralFails(t *testing.T) {
	for failing := 1; failing <= 2; failing++ {
		w := newLedgerWorld(t, shared)
		other := w.another(t)
		w.add["alice"] = "unknown"
		deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
		deliverytest.Want(t, w.via(t, other, deliverytest.Sample, "alice"), "unknown")
		delete(w.add, "alice")
		share(t, w.Server, other)
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
		deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unavailable")
		w.before = nil
		delete(w.fail, "HasAttempt")
		deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "ok")
		w.wantCopies(t, "alice:1")
	}
}

// TestToldWhileMoving: a failover during the insert or the read of an attempt leaves open which
// datacenter has the attempt, so every datacenter is asked.
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
			deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
			delete(w.add, "alice")
			w.before = move
			d := w.Server
			if operation == "Attempts" {
				d = other
				share(t, other)
			}
			w.before = nil
			w.moveTo("dc1")
			w.attempts = map[string]store.Attempt{} // it was dc2
			res := w.via(t, d, deliverytest.Sample, "alice")
			deliverytest.Want(t, res, "ok")
			deliverytest.WantRepeated(t, res, true)
			w.wantCopies(t, "alice:1")
		})
	}
}

// TestLedgerForgetsWhatIsOver: an expired attempt takes no room.
func TestLedgerForgetsWhatIsOver(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	if n := w.metric(t, "attempts"); n != 1 {
		t.Errorf("%v attempts are remembered, want 1", n)
	}
	w.clock.pass(30 * 24 * time.Hour)
	clear(w.attempts)
	share(t, w.Server)
	if n := w.metric(t, "attempts"); n != 0 {
		t.Errorf("%v attempts are remembered when their time is over", n)
	}
}
