package ledger_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
)

// TestRepeatUnknown: the outcome of the first delivery is unknown; the second delivery writes only the
// row, under the same id, and there is one copy.
func TestRepeatUnknown(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		for _, single := range []bool{true, false} {
			t.Run(fmt.Sprint(how, single), func(t *testing.T) {
				w := newLedgerWorld(t, nil)
				send := w.sendLMTP
				if single {
					send = w.send
				}
				w.add["alice"] = how
				first := send(t, deliverytest.Sample, "alice")
				deliverytest.Want(t, first, "unknown")
				deliverytest.WantRepeated(t, first, false)
				w.took()
				again := send(t, deliverytest.Sample, "alice") // unknown again
				deliverytest.Want(t, again, "unknown")
				w.wantTook(t, "AddMessages:1")
				delete(w.add, "alice")
				res := send(t, deliverytest.Sample, "alice")
				deliverytest.Want(t, res, "ok")
				deliverytest.WantRepeated(t, res, true)
				w.wantTook(t, "AddMessages:1")
				if res.ID != first.ID || again.ID != first.ID {
					t.Errorf("ids: %s, %s, %s", first.ID, again.ID, res.ID)
				}
				w.wantCopies(t, "alice:1")
				// The attempt is used: the same text is another message now.
				res = send(t, deliverytest.Sample, "alice")
				deliverytest.Want(t, res, "ok")
				deliverytest.WantRepeated(t, res, false)
				w.wantCopies(t, "alice:2")
				if w.metric(t, "reused_total") != 2 || w.metric(t, "entered_total") != 2 || w.metric(t, "attempts") != 0 {
					t.Error("the metrics are wrong")
				}
			})
		}
	}
}

// TestRepeatPartly: after a partial failure an SMTP client repeats all recipients, and an LMTP client
// only the failed recipients.
func TestRepeatPartly(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["bob"] = "unavailable"
	first := w.send(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "ok", "unavailable")
	w.add["bob"] = "lost"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "bob", "alice"), "unknown", "ok")
	delete(w.add, "bob")
	w.took()
	res := w.send(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantTook(t, "AddMessages:1")
	w.wantCopies(t, "alice:1 bob:1")
	if res.ID != first.ID || w.metric(t, "skipped_total") != 2 {
		t.Errorf("id %s, want %s; %v skipped", res.ID, first.ID, w.metric(t, "skipped_total"))
	}

	w.add["bob"] = "unavailable"
	deliverytest.Want(t, w.sendLMTP(t, "other "+deliverytest.Sample, "alice", "bob"), "ok", "unavailable")
	delete(w.add, "bob")
	if w.metric(t, "attempts") != 0 {
		t.Error("remembered, though nothing is unknown and every recipient has a reply")
	}
	deliverytest.Want(t, w.sendLMTP(t, "other "+deliverytest.Sample, "bob"), "ok")
	w.wantCopies(t, "alice:2 bob:2")
}

// TestRepeatInParts: a client repeats the failed recipients in separate transactions.
func TestRepeatInParts(t *testing.T) {
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		w.add["alice"], w.add["bob"] = "unknown", "lost"
		deliverytest.Want(t, send(t, deliverytest.Sample, "alice", "bob", "root"), "unknown", "unknown", "ok")
		w.add = map[string]string{}
		for _, local := range []string{"bob", "alice"} {
			res := send(t, deliverytest.Sample, local)
			deliverytest.Want(t, res, "ok")
			deliverytest.WantRepeated(t, res, true)
		}
		w.wantCopies(t, "alice:1 bob:1 root:1")
		res := send(t, deliverytest.Sample, "root")
		// By LMTP the sender knows of the success for root: the same text is another message.
		deliverytest.WantRepeated(t, res, single)
		w.wantCopies(t, map[bool]string{true: "root:1", false: "root:2"}[single])
	}
}

// TestRepeatWhole: an LMTP client may lose all replies unnoticed, and repeats all recipients.
func TestRepeatWhole(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "lost"
	deliverytest.Want(t, w.sendLMTP(t, deliverytest.Sample, "alice", "bob"), "unknown", "ok")
	delete(w.add, "alice")
	// To bob alone, whose success was reported: another message.
	res := w.sendLMTP(t, deliverytest.Sample, "bob")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, false)
	w.wantCopies(t, "bob:2")
	res = w.sendLMTP(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantCopies(t, "alice:1 bob:2")
}

// TestNotRepeated: a different text, sender, network or mailbox makes another message, and leaves the
// attempt to the true repetition.
func TestNotRepeated(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	envelope := func(change func(*mail.Envelope)) mail.Envelope {
		e := w.Envelope(t, "alice")
		e.SingleReply = true
		change(&e)
		return e
	}
	for _, other := range []struct {
		name string
		e    mail.Envelope
		text string
	}{
		{"text", envelope(func(*mail.Envelope) {}), "X" + deliverytest.Sample},
		{"end of the text", envelope(func(*mail.Envelope) {}), "Subject: x\r\n\r\n" + deliverytest.Sample + deliverytest.Sample},
		{"reverse-path", envelope(func(e *mail.Envelope) { e.ReversePath = "" }), deliverytest.Sample},
		{"octets moved from reverse-path to text", envelope(func(e *mail.Envelope) { e.ReversePath = e.ReversePath[:5] }), "r@example.org" + deliverytest.Sample},
		{"network", envelope(func(e *mail.Envelope) { e.Received.Remote = netip.MustParseAddr("2001:db8:0:1::1") }), deliverytest.Sample},
		{"no address", envelope(func(e *mail.Envelope) { e.Received.Remote = netip.Addr{} }), deliverytest.Sample},
		{"mailbox", envelope(func(e *mail.Envelope) { e.Recipients = w.Envelope(t, "bob").Recipients }), deliverytest.Sample},
	} {
		res := deliverytest.Finish(t, w.Deliverer, other.e, other.text)
		deliverytest.Want(t, res, "ok")
		if res.Repeated || res.ID == first.ID {
			t.Errorf("another %s was taken for a repetition", other.name)
		}
	}
	w.wantCopies(t, "alice:6 bob:1")
	res := deliverytest.Finish(t, w.Deliverer, envelope(func(e *mail.Envelope) {
		// Of the trace only the network counts.
		e.Received = mail.Received{Remote: netip.MustParseAddr("2001:db8::ffff:2"), Helo: "other.example", With: "ESMTPS", ID: "session.2"}
	}), deliverytest.Sample)
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantCopies(t, "alice:7")
}

// TestNetworks: /24 and /64 are one network.
func TestNetworks(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.254", true}, {"192.0.2.1", "192.0.3.1", false}, {"::ffff:192.0.2.1", "192.0.2.9", true},
		{"2001:db8::1", "2001:db8:0:0:ffff::1", true}, {"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true}, {"", "", true}, {"", "0.0.0.0", false}, {"", "::", false}, {"0.0.0.0", "::", false},
	} {
		w := newLedgerWorld(t, nil)
		w.add["alice"] = "lost"
		e := w.Envelope(t, "alice")
		send := func(addr string) delivery.Result {
			e.Received.Remote = netip.Addr{}
			if addr != "" {
				e.Received.Remote = netip.MustParseAddr(addr)
			}
			return deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample)
		}
		send(test.a)
		if res := send(test.b); res.Repeated != test.same {
			t.Errorf("%s and %s are one network: %v, want %v", test.a, test.b, res.Repeated, test.same)
		}
	}
}

// TestSameTwice: the same text sent twice makes two messages.
func TestSameTwice(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.took()
	for range 2 {
		res := w.send(t, deliverytest.Sample, "alice", "bob")
		deliverytest.Want(t, res, "ok", "ok")
		deliverytest.WantRepeated(t, res, false)
		w.wantTook(t, "AddMessages:1 PutContent:1")
	}
	w.wantCopies(t, "alice:2 bob:2")
}

// TestRepeatLate: a repetition gets a new id if the old id is too old for new rows. A stored row
// counts; a missing row is removed, so that a late write has no effect.
func TestRepeatLate(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		t.Run(how, func(t *testing.T) {
			w := newLedgerWorld(t, nil)
			w.add["alice"] = how
			first := w.send(t, deliverytest.Sample, "alice", "bob")
			deliverytest.Want(t, first, "unknown", "ok")
			delete(w.add, "alice")
			w.clock.pass(30 * time.Minute)
			w.took()
			res := w.send(t, deliverytest.Sample, "alice", "bob")
			deliverytest.Want(t, res, "ok", "ok")
			deliverytest.WantRepeated(t, res, true)
			w.wantCopies(t, "alice:1 bob:1")
			if how == "unknown" {
				w.wantTook(t, "Message:1")
				return
			}
			w.wantTook(t, "AddMessages:1 Message:1 PutContent:1 RemoveMessages:1")
			if res.ID == first.ID || w.metric(t, "removed_total") != 1 {
				t.Errorf("id %s, before %s; %v removed", res.ID, first.ID, w.metric(t, "removed_total"))
			}
			// The first write arrives late.
			w.AddMessages(t.Context(), []store.Entry{{Mailbox: deliverytest.Mailbox("alice"), Message: mail.Message{ID: first.ID, Size: 1, Recipient: "alice@example.test"}}})
			w.wantCopies(t, "alice:1")
		})
	}
}

// TestRepeatYoung: up to half the window the id is used again.
func TestRepeatYoung(t *testing.T) {
	w := newLedgerWorld(t, func(o *deliverytest.Options) { o.Delivery.Window = 2 * time.Hour })
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	w.clock.pass(59 * time.Minute)
	delete(w.add, "alice")
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	if res.ID != first.ID {
		t.Error("a new id though the old one is young")
	}
}

// TestRepeatToMore: a further recipient makes a new id necessary.
func TestRepeatToMore(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["bob"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	w.took()
	res := w.send(t, deliverytest.Sample, "alice", "bob", "root")
	deliverytest.Want(t, res, "ok", "ok", "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantTook(t, "AddMessages:1 Message:1 PutContent:1 RemoveMessages:1")
	w.wantCopies(t, "alice:1 bob:1 root:1")
}

// TestRepeatAfterRemoval: a repetition does not restore a message that its owner has removed.
func TestRepeatAfterRemoval(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "unknown"
	first := w.send(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "unknown", "ok")
	delete(w.add, "alice")
	for _, local := range []string{"alice", "bob"} {
		if err := w.Embedded.RemoveMessages(t.Context(), deliverytest.Mailbox(local), []mail.MessageID{first.ID}); err != nil {
			t.Fatal(err)
		}
	}
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice", "bob"), "ok", "ok")
	w.wantCopies(t, "alice:0 bob:0")
}

// TestRepeatRowTheSame: a row of unknown outcome is written with the recipient of the first write. A
// mixture of two spellings could have a wrong size.
func TestRepeatRowTheSame(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "unknown"
	first := w.send(t, deliverytest.Sample, "ALICE")
	deliverytest.Want(t, first, "unknown")
	before, err := w.Embedded.Message(t.Context(), deliverytest.Mailbox("alice"), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	delete(w.add, "alice")
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "ok")
	after, err := w.Embedded.Message(t.Context(), deliverytest.Mailbox("alice"), first.ID)
	if err != nil || after != before || after.Recipient != "ALICE@example.test" {
		t.Errorf("the row was %v, is %v, %v", before, after, err)
	}
	w.wantCopies(t, "alice:1")
}

// TestRemovalFails: no second row is written while the first row can neither be found nor removed, and
// after a tried removal nothing is written under the id.
func TestRemovalFails(t *testing.T) {
	for _, fault := range []string{"Message", "RemoveMessages"} {
		t.Run(fault, func(t *testing.T) {
			w := newLedgerWorld(t, nil)
			w.add["alice"] = "lost"
			first := w.send(t, deliverytest.Sample, "alice")
			deliverytest.Want(t, first, "unknown")
			delete(w.add, "alice")
			w.fail[fault] = store.ErrUnavailable
			deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice", "bob"), "unavailable", "ok")
			delete(w.fail, fault)
			res := w.send(t, deliverytest.Sample, "alice") // the failed recipient alone
			deliverytest.Want(t, res, "ok")
			deliverytest.WantRepeated(t, res, true)
			if fault == "RemoveMessages" && res.ID == first.ID {
				t.Error("an id was used of which rows were, perhaps, removed")
			}
			res = w.send(t, deliverytest.Sample, "bob")
			deliverytest.Want(t, res, "ok")
			deliverytest.WantRepeated(t, res, true)
			w.wantCopies(t, "alice:1 bob:1")
		})
	}
}

// TestRepeatTooOld: rows written too late are removed again, and nothing more is written under their
// id: in a first delivery, and in a repetition under the old id.
func TestRepeatTooOld(t *testing.T) {
	for _, removal := range []error{nil, store.ErrUnavailable, store.ErrOutcomeUnknown} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprint(removal, again), func(t *testing.T) {
				w := newLedgerWorld(t, nil)
				pause := delivery.MaxIDAge + time.Second
				var ids []mail.MessageID
				if again {
					w.add["alice"] = "lost"
					first := w.send(t, deliverytest.Sample, "alice", "bob")
					deliverytest.Want(t, first, "unknown", "ok")
					ids = append(ids, first.ID)
					delete(w.add, "alice")
					pause += 30 * time.Minute
				}
				w.before = func(operation string) {
					if operation == "AddMessages" {
						w.clock.pass(pause)
					}
				}
				w.fail["RemoveMessages"] = removal
				res := w.send(t, deliverytest.Sample, "alice", "bob")
				ids = append(ids, res.ID)
				deliverytest.Want(t, res, "unavailable", map[bool]string{false: "unavailable", true: "ok"}[again])
				w.before, w.fail = nil, map[string]error{}
				w.clock.pass(-pause) // the clock had jumped
				res = w.send(t, deliverytest.Sample, "alice", "bob")
				deliverytest.Want(t, res, "ok", "ok")
				w.wantCopies(t, "alice:1 bob:1")
				for _, id := range ids {
					if res.ID == id && removal == nil {
						t.Errorf("an id was used of which rows were removed: %s", id)
					}
				}
			})
		}
	}
}

// TestContentUnknown: no row is written before the content is acknowledged, so the ledger enters no
// attempt.
func TestContentUnknown(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.fail["PutContent"] = store.ErrOutcomeUnknown
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice", "bob"), "unknown", "unknown")
	delete(w.fail, "PutContent")
	if w.metric(t, "attempts") != 0 {
		t.Error("remembered")
	}
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice", "bob"), "ok", "ok")
	w.wantCopies(t, "alice:1 bob:1")
}

// TestLedgerLimits: attempts expire, and the oldest attempts are forgotten beyond the limit.
func TestLedgerLimits(t *testing.T) {
	w := newLedgerWorld(t, func(o *deliverytest.Options) { o.Ledger.Size, o.Ledger.Keep = 5, time.Hour })
	w.add["alice"], w.add["bob"] = "unknown", "unknown"
	text := func(i int) string { return fmt.Sprintf("X-Number: %d\r\n", i) + deliverytest.Sample }
	for i := range 4 {
		deliverytest.Want(t, w.send(t, text(i), "alice", "bob"), "unknown", "unknown")
	}
	if w.metric(t, "attempts") != 2 || w.metric(t, "forgotten_total") != 2 {
		t.Errorf("%v remembered, %v forgotten", w.metric(t, "attempts"), w.metric(t, "forgotten_total"))
	}
	w.add = map[string]string{}
	for i := range 3 {
		deliverytest.WantRepeated(t, w.send(t, text(i), "alice", "bob"), i == 2)
	}
	w.wantCopies(t, "alice:6 bob:6")
	w.clock.pass(time.Hour)
	deliverytest.WantRepeated(t, w.send(t, text(3), "alice", "bob"), false)
	w.add["alice"] = "unknown"
	all := strings.Repeat("alice bob root ", 3)
	deliverytest.Want(t, w.send(t, text(9), strings.Fields(all)[:9]...), strings.Fields(strings.Repeat("unknown ok ok ", 3))...)
	delete(w.add, "alice")
	deliverytest.WantRepeated(t, w.send(t, text(9), "alice", "bob", "root"), true)
}

// TestRepeatAtOnce: of several simultaneous deliveries of the same text, one is the repetition and the
// rest are new messages.
func TestRepeatAtOnce(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "unknown"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	delete(w.add, "alice")
	e := w.Envelope(t, "alice")
	const n = 10
	var wg sync.WaitGroup
	results := make([]delivery.Result, n)
	for i := range results {
		wg.Go(func() { results[i] = deliverytest.Finish(t, w.Deliverer, e, deliverytest.Sample) })
	}
	wg.Wait()
	repeated := 0
	for _, res := range results {
		deliverytest.Want(t, res, "ok")
		if res.Repeated {
			repeated++
		}
	}
	if repeated != 1 {
		t.Errorf("%d were taken for the repetition", repeated)
	}
	w.wantCopies(t, fmt.Sprintf("alice:%d", n))
}

// TestReplyLost: the sender repeats a stored message after a lost reply.
func TestReplyLost(t *testing.T) {
	ctx := context.Background()
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		first := send(t, deliverytest.Sample, "alice", "bob", "ALICE")
		deliverytest.Want(t, first, "ok", "ok", "ok")
		w.ReplyLost(ctx, first)
		w.ReplyLost(ctx, first)
		w.took()
		for range 2 { // the second reply is lost, too
			res := send(t, deliverytest.Sample, "alice", "bob", "ALICE")
			deliverytest.Want(t, res, "ok", "ok", "ok")
			deliverytest.WantRepeated(t, res, true)
			if res.ID != first.ID {
				t.Errorf("id %s, want %s", res.ID, first.ID)
			}
			w.ReplyLost(ctx, res)
		}
		w.wantTook(t, "")
		w.clock.pass(3 * time.Hour) // no row is due, so the age of the id does not matter
		deliverytest.Want(t, send(t, deliverytest.Sample, "alice", "bob", "ALICE"), "ok", "ok", "ok")
		w.wantTook(t, "")
		w.wantCopies(t, "alice:1 bob:1")
		deliverytest.WantRepeated(t, send(t, deliverytest.Sample, "alice"), false)
	}
}

// TestReplyLostOfAFailure: a lost reply with a failure changes nothing for the sender.
func TestReplyLostOfAFailure(t *testing.T) {
	ctx := context.Background()
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		w.add["alice"] = "lost"
		res := send(t, deliverytest.Sample, "alice", "bob", "root")
		deliverytest.Want(t, res, "unknown", "ok", "ok")
		w.ReplyLost(ctx, res)
		w.ReplyLost(ctx, delivery.Result{Errors: []error{store.ErrUnavailable}})
		if w.metric(t, "attempts") != 1 {
			t.Errorf("%v attempts", w.metric(t, "attempts"))
		}
		delete(w.add, "alice")
		for _, local := range []string{"bob", "root", "alice"} {
			res := send(t, deliverytest.Sample, local)
			deliverytest.Want(t, res, "ok")
			deliverytest.WantRepeated(t, res, true)
		}
		w.wantCopies(t, "alice:1 bob:1 root:1")
		// Too late: the sender has repeated the delivery.
		w.ReplyLost(ctx, res)
		if w.metric(t, "attempts") != 0 {
			t.Error("an attempt that was used is there again")
		}

		w.add["alice"] = "unavailable"
		res = send(t, deliverytest.Sample, "alice")
		deliverytest.Want(t, res, "unavailable")
		w.ReplyLost(ctx, res)
		if w.metric(t, "attempts") != 0 {
			t.Error("nothing was stored, and it was remembered")
		}
	}
}

// TestRepeatUnknownThenFailed: the first write of a row may have succeeded although the second write
// surely failed.
func TestRepeatUnknownThenFailed(t *testing.T) {
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		for _, how := range []string{"unknown", "unavailable"} {
			w.add["alice"] = how
			deliverytest.Want(t, send(t, deliverytest.Sample, "alice"), how)
		}
		delete(w.add, "alice")
		res := send(t, deliverytest.Sample, "alice")
		deliverytest.Want(t, res, "ok")
		deliverytest.WantRepeated(t, res, true)
		w.wantCopies(t, "alice:1")
	}
}
