package ledger_test

import (
	"testing"

	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
)

// newOriginWorld has a store in which datacenter dc1 answers.
func newOriginWorld(t *testing.T, change func(*deliverytest.Options)) *ledgerWorld {
	w := newLedgerWorld(t, change)
	w.moveTo("dc1")
	return w
}

// TestRepeatThroughAnother: content acknowledged by another datacenter may be missing in the
// datacenter that answers, even if the row was replicated. The content is stored again.
func TestRepeatThroughAnother(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		t.Run(how, func(t *testing.T) {
			w := newOriginWorld(t, nil)
			w.add["alice"] = how
			first := w.send(t, deliverytest.Sample, "alice")
			deliverytest.Want(t, first, "unknown")
			delete(w.add, "alice")
			w.moveTo("dc2")
			w.took()
			res := w.send(t, deliverytest.Sample, "alice")
			deliverytest.Want(t, res, "ok")
			deliverytest.WantAnew(t, res, first)
			w.wantTook(t, "AddMessages:1 PutContent:1 RemoveMessages:1")
			w.wantCopies(t, "alice:1")
		})
	}
}

// TestRepeatAtAnotherServer: the same at a server that read the attempt from the store.
func TestRepeatAtAnotherServer(t *testing.T) {
	w := newOriginWorld(t, shared)
	other := w.another(t)
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	share(t, other)
	w.moveTo("dc2")
	res := w.via(t, other, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestRepeatPartlyThroughAnother: a row stored in another datacenter counts only if the sender knows
// of the success.
func TestRepeatPartlyThroughAnother(t *testing.T) {
	w := newOriginWorld(t, nil)
	w.add["bob"] = "unavailable"
	first := w.send(t, deliverytest.Sample, "alice", "bob") // one reply for both
	deliverytest.Want(t, first, "ok", "unavailable")
	delete(w.add, "bob")
	w.moveTo("dc2")
	w.took()
	res := w.send(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	if res.ID == first.ID {
		t.Error("the id is used again")
	}
	w.wantTook(t, "AddMessages:1 PutContent:1 RemoveMessages:1")
	w.wantCopies(t, "alice:1 bob:1")
	for _, local := range []string{"alice", "bob"} {
		if _, err := w.Embedded.Message(t.Context(), deliverytest.Mailbox(local), res.ID); err != nil {
			t.Errorf("%s has another message: %v", local, err)
		}
	}

	w = newOriginWorld(t, nil)
	w.add["bob"] = "lost"
	first = w.sendLMTP(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	w.moveTo("dc2")
	w.took()
	res = w.sendLMTP(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	if res.ID == first.ID {
		t.Error("the id is used again")
	}
	w.wantTook(t, "AddMessages:1 PutContent:1 RemoveMessages:1")
	if _, err := w.Embedded.Message(t.Context(), deliverytest.Mailbox("alice"), first.ID); err != nil {
		t.Errorf("alice was told to have message %s: %v", first.ID, err)
	}
	w.wantCopies(t, "alice:1 bob:1")
}

// TestReplyLostThroughAnother: a success with a lost reply does not count.
func TestReplyLostThroughAnother(t *testing.T) {
	w := newOriginWorld(t, nil)
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "ok")
	w.ReplyLost(t.Context(), first)
	w.moveTo("dc2")
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestRepeatEachThroughAnother: content in every datacenter is used again, and the rows that are not
// in every datacenter are written again in the datacenter that answers.
func TestRepeatEachThroughAnother(t *testing.T) {
	w := newEachWorld(t)
	w.moveTo("dc1")
	e := w.Envelope(t, "alice", "bob", "root")
	e.SingleReply = true
	e.Recipients[0].Durability = mail.DurabilityEach
	w.add["root"] = "unavailable"
	first := deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample)
	deliverytest.Want(t, first, "ok", "ok", "unavailable")
	delete(w.add, "root")
	w.moveTo("dc2")
	w.took()
	w.each.took()
	w.add["bob"] = "unavailable"
	deliverytest.Want(t, deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample), "ok", "unavailable", "ok")
	delete(w.add, "bob")
	w.add["root"] = "unavailable" // the rows of the second datacenter count now
	res := deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample)
	deliverytest.Want(t, res, "ok", "ok", "ok")
	w.wantTook(t, "AddMessages:2")
	if got := w.each.took(); got != "" || res.ID != first.ID {
		t.Errorf("the datacenters were asked for %q; id %s, first %s", got, res.ID, first.ID)
	}
	w.wantCopies(t, "alice:1 bob:1 root:1")
}

// TestMovedMeanwhile: a delivery fails if different datacenters acknowledged its content and its row,
// and the content does not count any more.
func TestMovedMeanwhile(t *testing.T) {
	w := newOriginWorld(t, nil)
	w.before = func(operation string) {
		if operation == "PutContent" {
			w.moveTo("dc2")
		}
	}
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	w.before = nil
	for _, origin := range []string{"dc1", "dc2"} {
		w.moveTo(origin)
		w.fail["RemoveMessages"] = store.ErrUnavailable
		deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unavailable")
	}
	delete(w.fail, "RemoveMessages")
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestLateRowDoesNotCount: a row does not count once its removal was tried: the removal may still
// arrive.
func TestLateRowDoesNotCount(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	w.fail["RemoveMessages"] = store.ErrUnavailable
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice", "bob"), "unavailable", "ok")
	late := mail.Message{ID: first.ID, Size: 1, Recipient: "alice@example.org"}
	if err := w.Embedded.AddMessages(t.Context(), []store.Entry{{Mailbox: deliverytest.Mailbox("alice"), Message: late}})[0]; err != nil {
		t.Fatal(err)
	}
	delete(w.fail, "RemoveMessages")
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}
