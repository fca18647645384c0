package ledger_test

import (
	"testing"

	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
)

// newEachWorld has a store in several datacenters, with a script for each level.
func newEachWorld(t *testing.T) *ledgerWorld {
	w := newLedgerWorld(t, nil)
	w.spread(t, nil)
	return w
}

// sendEach delivers to recipients that require every datacenter.
func (w *ledgerWorld) sendEach(t *testing.T, orLocal bool, locals ...string) (mail.Reached, func(results ...string), bool, mail.MessageID) {
	t.Helper()
	e := w.Envelope(t, locals...)
	e.SingleReply = true
	for i := range e.Recipients {
		e.Recipients[i].Durability = mail.DurabilityEach
		if orLocal {
			e.Recipients[i].Durability = mail.DurabilityEachOrLocal
		}
	}
	res := deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample)
	return res.Least(), func(results ...string) { t.Helper(); deliverytest.Want(t, res, results...) }, res.Repeated, res.ID
}

// TestRepeatEach: the row may be in some datacenters, and is written again in all.
func TestRepeatEach(t *testing.T) {
	w := newEachWorld(t)
	w.each.add["alice"] = "lost"
	_, wants, _, first := w.sendEach(t, false, "alice", "bob")
	wants("unknown", "ok")
	delete(w.each.add, "alice")
	w.took()
	w.each.took()
	reached, wants, repeated, id := w.sendEach(t, false, "alice", "bob")
	wants("ok", "ok")
	if reached != mail.ReachedEach || !repeated || id != first {
		t.Errorf("%v, repeated %v, id %s, want %s", reached, repeated, id, first)
	}
	w.wantTook(t, "")
	if got := w.each.took(); got != "AddMessages:1" {
		t.Errorf("the datacenters were asked for %q", got)
	}
	w.wantCopies(t, "alice:1 bob:1")
}

// TestRepeatUnsureEach: a row of unknown outcome in every datacenter stays unknown after a failed
// write in the local datacenter.
func TestRepeatUnsureEach(t *testing.T) {
	w := newEachWorld(t)
	w.each.add["alice"] = "unknown"
	w.add["alice"] = "unavailable"
	_, wants, _, first := w.sendEach(t, true, "alice")
	wants("unknown")
	delete(w.each.add, "alice")
	delete(w.add, "alice")
	_, wants, repeated, id := w.sendEach(t, true, "alice")
	wants("ok")
	if !repeated || id != first {
		t.Errorf("repeated %v, id %s, want %s", repeated, id, first)
	}
	w.wantCopies(t, "alice:1")
}

// TestRepeatFallback: content in the local datacenter only does not suffice for a recipient that
// requires every datacenter, once all datacenters can be reached.
func TestRepeatFallback(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		w := newEachWorld(t)
		w.each.fail["PutContent"] = store.ErrUnavailable
		w.add["alice"] = how
		reached, wants, _, first := w.sendEach(t, true, "alice", "bob")
		wants("unknown", "ok")
		if reached != mail.ReachedFallback {
			t.Errorf("reached %v", reached)
		}
		delete(w.add, "alice")
		// It suffices while a datacenter cannot be reached.
		w.each.fail["Message"], w.each.fail["RemoveMessages"] = store.ErrUnavailable, store.ErrUnavailable
		w.each.add["alice"] = "unavailable"
		reached, wants, repeated, id := w.sendEach(t, true, "alice", "bob")
		wants("ok", "ok")
		if reached != mail.ReachedFallback || !repeated || (id == first) != (how == "unknown") {
			t.Errorf("%v, repeated %v, id %s, first %s", reached, repeated, id, first)
		}
		w.wantCopies(t, "alice:1 bob:1")

		w = newEachWorld(t)
		w.each.fail["PutContent"] = store.ErrUnavailable
		w.add["alice"] = how
		_, wants, _, first = w.sendEach(t, true, "alice", "bob")
		wants("unknown", "ok")
		w.add, w.each.fail = map[string]string{}, map[string]error{}
		w.each.took()
		_, wants, repeated, id = w.sendEach(t, true, "alice", "bob")
		wants("ok", "ok")
		if !repeated || id == first {
			t.Errorf("repeated %v, id %s, first %s", repeated, id, first)
		}
		if got := w.each.took(); got != "AddMessages:1 Message:1 PutContent:1 RemoveMessages:1" {
			t.Errorf("the datacenters were asked for %q", got)
		}
		w.wantCopies(t, "alice:1 bob:1")
	}
}
