package delivery_test

import (
	"testing"

	"popelago/delivery"
	"popelago/mail"
	"popelago/store"
)

// newOriginWorld has a store whose first datacenter answers.
func newOriginWorld(t *testing.T, change func(*delivery.Config)) *ledgerWorld {
	w := newLedgerWorld(t, change)
	w.moveTo("dc1")
	return w
}

// TestRepeatThroughAnother: content that another datacenter acknowledged may be missing in the
// one that answers now, even if a row of it has come. It is stored anew.
func TestRepeatThroughAnother(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		t.Run(how, func(t *testing.T) {
			w := newOriginWorld(t, nil)
			w.add["alice"] = how
			first := w.send(t, sample, "alice")
			want(t, first, "unknown")
			delete(w.add, "alice")
			w.moveTo("dc2")
			w.took()
			res := w.send(t, sample, "alice")
			want(t, res, "ok")
			wantAnew(t, res, first)
			w.wantTook(t, "AddMessages:1 PutContent:1 RemoveMessages:1")
			w.wantCopies(t, "alice:1")
		})
	}
}

// TestRepeatAtAnotherServer: it is so for a server that has read of the attempt, too.
func TestRepeatAtAnotherServer(t *testing.T) {
	w := newOriginWorld(t, shared)
	other := w.another(t)
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	share(t, other)
	w.moveTo("dc2")
	res := w.via(t, other, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestRepeatPartlyThroughAnother: what is stored in another datacenter counts only for those
// whose sender has been told so.
func TestRepeatPartlyThroughAnother(t *testing.T) {
	w := newOriginWorld(t, nil)
	w.add["bob"] = "unavailable"
	first := w.send(t, sample, "alice", "bob") // one reply for both
	want(t, first, "ok", "unavailable")
	delete(w.add, "bob")
	w.moveTo("dc2")
	w.took()
	res := w.send(t, sample, "alice", "bob")
	want(t, res, "ok", "ok")
	if res.ID == first.ID {
		t.Error("the id is used again")
	}
	w.wantTook(t, "AddMessages:1 PutContent:1 RemoveMessages:1")
	w.wantCopies(t, "alice:1 bob:1")
	for _, local := range []string{"alice", "bob"} {
		if _, err := w.store.Message(t.Context(), mailboxOf(local), res.ID); err != nil {
			t.Errorf("%s has another message: %v", local, err)
		}
	}

	w = newOriginWorld(t, nil)
	w.add["bob"] = "lost"
	first = w.sendLMTP(t, sample, "alice", "bob")
	want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	w.moveTo("dc2")
	w.took()
	res = w.sendLMTP(t, sample, "alice", "bob")
	want(t, res, "ok", "ok")
	if res.ID == first.ID {
		t.Error("the id is used again")
	}
	w.wantTook(t, "AddMessages:1 PutContent:1 RemoveMessages:1")
	if _, err := w.store.Message(t.Context(), mailboxOf("alice"), first.ID); err != nil {
		t.Errorf("alice was told to have message %s: %v", first.ID, err)
	}
	w.wantCopies(t, "alice:1 bob:1")
}

// TestReplyLostThroughAnother: a success that the sender has not heard of does not count.
func TestReplyLostThroughAnother(t *testing.T) {
	w := newOriginWorld(t, nil)
	first := w.send(t, sample, "alice")
	want(t, first, "ok")
	w.ReplyLost(t.Context(), first)
	w.moveTo("dc2")
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestRepeatEachThroughAnother: content that is in every datacenter is used again, and the rows
// that are not are written again, in the one that answers now.
func TestRepeatEachThroughAnother(t *testing.T) {
	w := newEachWorld(t)
	w.moveTo("dc1")
	e := w.envelope(t, "alice", "bob", "root")
	e.SingleReply = true
	e.Recipients[0].Durability = mail.Durability{Each: true}
	w.add["root"] = "unavailable"
	first := finish(t, w.Deliverer, e, sample)
	want(t, first, "ok", "ok", "unavailable")
	delete(w.add, "root")
	w.moveTo("dc2")
	w.took()
	w.each.took()
	w.add["bob"] = "unavailable"
	want(t, finish(t, w.Deliverer, e, sample), "ok", "unavailable", "ok")
	delete(w.add, "bob")
	w.add["root"] = "unavailable" // what there is in the second counts now
	res := finish(t, w.Deliverer, e, sample)
	want(t, res, "ok", "ok", "ok")
	w.wantTook(t, "AddMessages:2")
	if got := w.each.took(); got != "" || res.ID != first.ID {
		t.Errorf("the datacenters were asked for %q; id %s, first %s", got, res.ID, first.ID)
	}
	w.wantCopies(t, "alice:1 bob:1 root:1")
}

// TestMovedMeanwhile: a message is not stored whose row another datacenter acknowledged than its
// content, and its content does not count any more.
func TestMovedMeanwhile(t *testing.T) {
	w := newOriginWorld(t, nil)
	w.before = func(operation string) {
		if operation == "PutContent" {
			w.moveTo("dc2")
		}
	}
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	w.before = nil
	for _, origin := range []string{"dc1", "dc2"} {
		w.moveTo(origin)
		w.fail["RemoveMessages"] = store.ErrUnavailable
		want(t, w.send(t, sample, "alice"), "unavailable")
	}
	delete(w.fail, "RemoveMessages")
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}

// TestLateRowDoesNotCount: a row that comes after its removal was tried does not count: the
// removal may come still.
func TestLateRowDoesNotCount(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	w.fail["RemoveMessages"] = store.ErrUnavailable
	want(t, w.send(t, sample, "alice", "bob"), "unavailable", "ok")
	late := mail.Message{ID: first.ID, Size: 1, Recipient: "alice@example.org"}
	if err := w.store.AddMessages(t.Context(), []store.Entry{{Mailbox: mailboxOf("alice"), Message: late}})[0]; err != nil {
		t.Fatal(err)
	}
	delete(w.fail, "RemoveMessages")
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:1")
}
