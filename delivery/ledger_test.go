package delivery_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/mail"
	"popelago/store"
)

// TestRepeatUnknown: what became of the first trial is unknown; the second gives one copy,
// under the same id, and writes the row only.
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
				first := send(t, sample, "alice")
				want(t, first, "unknown")
				wantRepeated(t, first, false)
				w.took()
				again := send(t, sample, "alice") // not better yet
				want(t, again, "unknown")
				w.wantTook(t, "AddMessages:1")
				delete(w.add, "alice")
				res := send(t, sample, "alice")
				want(t, res, "ok")
				wantRepeated(t, res, true)
				w.wantTook(t, "AddMessages:1")
				if res.ID != first.ID || again.ID != first.ID {
					t.Errorf("ids: %s, %s, %s", first.ID, again.ID, res.ID)
				}
				w.wantCopies(t, "alice:1")
				// The attempt is used up: the same text again is another message.
				res = send(t, sample, "alice")
				want(t, res, "ok")
				wantRepeated(t, res, false)
				w.wantCopies(t, "alice:2")
				if w.metric(t, "reused_total") != 2 || w.metric(t, "entered_total") != 2 || w.metric(t, "attempts") != 0 {
					t.Error("the metrics are wrong")
				}
			})
		}
	}
}

// TestRepeatPartly: by SMTP all recipients are tried again when some have the message. By LMTP
// only those that do not.
func TestRepeatPartly(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["bob"] = "unavailable"
	first := w.send(t, sample, "alice", "bob")
	want(t, first, "ok", "unavailable")
	w.add["bob"] = "lost"
	want(t, w.send(t, sample, "bob", "alice"), "unknown", "ok")
	delete(w.add, "bob")
	w.took()
	res := w.send(t, sample, "alice", "bob")
	want(t, res, "ok", "ok")
	wantRepeated(t, res, true)
	w.wantTook(t, "AddMessages:1")
	w.wantCopies(t, "alice:1 bob:1")
	if res.ID != first.ID || w.metric(t, "skipped_total") != 2 {
		t.Errorf("id %s, want %s; %v skipped", res.ID, first.ID, w.metric(t, "skipped_total"))
	}

	w.add["bob"] = "unavailable"
	want(t, w.sendLMTP(t, "other "+sample, "alice", "bob"), "ok", "unavailable")
	delete(w.add, "bob")
	if w.metric(t, "attempts") != 0 {
		t.Error("remembered, though nothing is unknown and every recipient has a reply")
	}
	want(t, w.sendLMTP(t, "other "+sample, "bob"), "ok")
	w.wantCopies(t, "alice:2 bob:2")
}

// TestRepeatInParts: recipients that failed together are tried again one by one.
func TestRepeatInParts(t *testing.T) {
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		w.add["alice"], w.add["bob"] = "unknown", "lost"
		want(t, send(t, sample, "alice", "bob", "root"), "unknown", "unknown", "ok")
		w.add = map[string]string{}
		for _, local := range []string{"bob", "alice"} {
			res := send(t, sample, local)
			want(t, res, "ok")
			wantRepeated(t, res, true)
		}
		w.wantCopies(t, "alice:1 bob:1 root:1")
		res := send(t, sample, "root")
		// By LMTP the sender knows that root has it, so this is another message.
		wantRepeated(t, res, single)
		w.wantCopies(t, map[bool]string{true: "root:1", false: "root:2"}[single])
	}
}

// TestRepeatWhole: by LMTP a sender may lose all replies without our knowing it. Then it sends
// to those again that have the message.
func TestRepeatWhole(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "lost"
	want(t, w.sendLMTP(t, sample, "alice", "bob"), "unknown", "ok")
	delete(w.add, "alice")
	// To bob alone, who has been told of: that is another message.
	res := w.sendLMTP(t, sample, "bob")
	want(t, res, "ok")
	wantRepeated(t, res, false)
	w.wantCopies(t, "bob:2")
	res = w.sendLMTP(t, sample, "alice", "bob")
	want(t, res, "ok", "ok")
	wantRepeated(t, res, true)
	w.wantCopies(t, "alice:1 bob:2")
}

// TestNotRepeated: another text, sender, network or mailbox makes another message, and leaves
// the attempt for the true repetition.
func TestNotRepeated(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	envelope := func(change func(*mail.Envelope)) mail.Envelope {
		e := w.envelope(t, "alice")
		e.SingleReply = true
		change(&e)
		return e
	}
	for _, other := range []struct {
		name string
		e    mail.Envelope
		text string
	}{
		{"text", envelope(func(*mail.Envelope) {}), "X" + sample},
		{"end of the text", envelope(func(*mail.Envelope) {}), "Subject: x\r\n\r\n" + sample + sample},
		{"reverse-path", envelope(func(e *mail.Envelope) { e.ReversePath = "" }), sample},
		{"octets moved from reverse-path to text", envelope(func(e *mail.Envelope) { e.ReversePath = e.ReversePath[:5] }), "r@example.org" + sample},
		{"network", envelope(func(e *mail.Envelope) { e.Received.Remote = netip.MustParseAddr("2001:db8:0:1::1") }), sample},
		{"no address", envelope(func(e *mail.Envelope) { e.Received.Remote = netip.Addr{} }), sample},
		{"mailbox", envelope(func(e *mail.Envelope) { e.Recipients = w.envelope(t, "bob").Recipients }), sample},
	} {
		res := finish(t, w.Deliverer, other.e, other.text)
		want(t, res, "ok")
		if res.Repeated || res.ID == first.ID {
			t.Errorf("another %s was taken for a repetition", other.name)
		}
	}
	w.wantCopies(t, "alice:6 bob:1")
	res := finish(t, w.Deliverer, envelope(func(e *mail.Envelope) {
		// Everything but the network may differ in how it came.
		e.Received = mail.Received{Remote: netip.MustParseAddr("2001:db8::ffff:2"), Helo: "other.example", With: "ESMTPS", ID: "session.2"}
	}), sample)
	want(t, res, "ok")
	wantRepeated(t, res, true)
	w.wantCopies(t, "alice:7")
}

// TestNetworks: which addresses are one network.
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
		e := w.envelope(t, "alice")
		send := func(addr string) delivery.Result {
			e.Received.Remote = netip.Addr{}
			if addr != "" {
				e.Received.Remote = netip.MustParseAddr(addr)
			}
			return finish(t, w.Deliverer, e, sample)
		}
		send(test.a)
		if res := send(test.b); res.Repeated != test.same {
			t.Errorf("%s and %s are one network: %v, want %v", test.a, test.b, res.Repeated, test.same)
		}
	}
}

// TestSameTwice: a sender that sends the same twice has sent two messages.
func TestSameTwice(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.took()
	for range 2 {
		res := w.send(t, sample, "alice", "bob")
		want(t, res, "ok", "ok")
		wantRepeated(t, res, false)
		w.wantTook(t, "AddMessages:1 PutContent:1")
	}
	w.wantCopies(t, "alice:2 bob:2")
}

// TestRepeatLate: when its id is too old for new rows, a repetition gets another one. A row
// that is there counts; one that is not will never be.
func TestRepeatLate(t *testing.T) {
	for _, how := range []string{"unknown", "lost"} {
		t.Run(how, func(t *testing.T) {
			w := newLedgerWorld(t, nil)
			w.add["alice"] = how
			first := w.send(t, sample, "alice", "bob")
			want(t, first, "unknown", "ok")
			delete(w.add, "alice")
			w.clock.pass(30 * time.Minute)
			w.took()
			res := w.send(t, sample, "alice", "bob")
			want(t, res, "ok", "ok")
			wantRepeated(t, res, true)
			w.wantCopies(t, "alice:1 bob:1")
			if how == "unknown" {
				w.wantTook(t, "Message:1")
				return
			}
			w.wantTook(t, "AddMessages:1 Message:1 PutContent:1 RemoveMessages:1")
			if res.ID == first.ID || w.metric(t, "removed_total") != 1 {
				t.Errorf("id %s, before %s; %v removed", res.ID, first.ID, w.metric(t, "removed_total"))
			}
			// The write of the first trial comes in the end.
			w.AddMessages(t.Context(), []store.Entry{{Mailbox: mailboxOf("alice"), Message: mail.Message{ID: first.ID, Size: 1, Recipient: "alice@example.test"}}})
			w.wantCopies(t, "alice:1")
		})
	}
}

func mailboxOf(local string) mail.MailboxID {
	return mail.DeriveMailboxID(address(local), mail.MessageID{})
}

// TestRepeatYoung: up to half the window the id is used again.
func TestRepeatYoung(t *testing.T) {
	w := newLedgerWorld(t, func(c *delivery.Config) { c.Window = 2 * time.Hour })
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	w.clock.pass(59 * time.Minute)
	delete(w.add, "alice")
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	if res.ID != first.ID {
		t.Error("a new id though the old one is young")
	}
}

// TestRepeatToMore: a recipient that the content was not stored for makes a new id necessary.
func TestRepeatToMore(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["bob"] = "lost"
	first := w.send(t, sample, "alice", "bob")
	want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	w.took()
	res := w.send(t, sample, "alice", "bob", "root")
	want(t, res, "ok", "ok", "ok")
	wantRepeated(t, res, true)
	w.wantTook(t, "AddMessages:1 Message:1 PutContent:1 RemoveMessages:1")
	w.wantCopies(t, "alice:1 bob:1 root:1")
}

// TestRepeatAfterRemoval: who has fetched and removed the message does not get it again.
func TestRepeatAfterRemoval(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "unknown"
	first := w.send(t, sample, "alice", "bob")
	want(t, first, "unknown", "ok")
	delete(w.add, "alice")
	for _, local := range []string{"alice", "bob"} {
		if err := w.store.RemoveMessages(t.Context(), mailboxOf(local), []mail.MessageID{first.ID}); err != nil {
			t.Fatal(err)
		}
	}
	want(t, w.send(t, sample, "alice", "bob"), "ok", "ok")
	w.wantCopies(t, "alice:0 bob:0")
}

// TestRepeatRowTheSame: a row that may be there is written as it was, whatever the recipient is
// called this time: half of one and half of the other would have a wrong size.
func TestRepeatRowTheSame(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "unknown"
	first := w.send(t, sample, "ALICE")
	want(t, first, "unknown")
	before, err := w.store.Message(t.Context(), mailboxOf("alice"), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	delete(w.add, "alice")
	want(t, w.send(t, sample, "alice"), "ok")
	after, err := w.store.Message(t.Context(), mailboxOf("alice"), first.ID)
	if err != nil || after != before || after.Recipient != "ALICE@example.test" {
		t.Errorf("the row was %v, is %v, %v", before, after, err)
	}
	w.wantCopies(t, "alice:1")
}

// TestRemovalFails: as long as the row of the first trial cannot be removed there is no second
// one; and once its removal was tried nothing is written under its id.
func TestRemovalFails(t *testing.T) {
	for _, fault := range []string{"Message", "RemoveMessages"} {
		t.Run(fault, func(t *testing.T) {
			w := newLedgerWorld(t, nil)
			w.add["alice"] = "lost"
			first := w.send(t, sample, "alice")
			want(t, first, "unknown")
			delete(w.add, "alice")
			w.fail[fault] = store.ErrUnavailable
			want(t, w.send(t, sample, "alice", "bob"), "unavailable", "ok")
			delete(w.fail, fault)
			res := w.send(t, sample, "alice") // the rest of the repetition, apart
			want(t, res, "ok")
			wantRepeated(t, res, true)
			if fault == "RemoveMessages" && res.ID == first.ID {
				t.Error("an id was used of which rows were, perhaps, removed")
			}
			res = w.send(t, sample, "bob")
			want(t, res, "ok")
			wantRepeated(t, res, true)
			w.wantCopies(t, "alice:1 bob:1")
		})
	}
}

// TestRepeatTooOld: rows that came too late are removed again, and their id is done with: in
// the first trial, and in one that uses the id of another.
func TestRepeatTooOld(t *testing.T) {
	for _, removal := range []error{nil, store.ErrUnavailable, store.ErrOutcomeUnknown} {
		for _, again := range []bool{false, true} {
			t.Run(fmt.Sprint(removal, again), func(t *testing.T) {
				w := newLedgerWorld(t, nil)
				pause := delivery.MaxIDAge + time.Second
				var ids []mail.MessageID
				if again {
					w.add["alice"] = "lost"
					first := w.send(t, sample, "alice", "bob")
					want(t, first, "unknown", "ok")
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
				res := w.send(t, sample, "alice", "bob")
				ids = append(ids, res.ID)
				want(t, res, "unavailable", map[bool]string{false: "unavailable", true: "ok"}[again])
				w.before, w.fail = nil, map[string]error{}
				w.clock.pass(-pause) // it was the clock that jumped
				res = w.send(t, sample, "alice", "bob")
				want(t, res, "ok", "ok")
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

// TestContentUnknown: no row is written before the content is acknowledged, so there is nothing
// to remember.
func TestContentUnknown(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.fail["PutContent"] = store.ErrOutcomeUnknown
	want(t, w.send(t, sample, "alice", "bob"), "unknown", "unknown")
	delete(w.fail, "PutContent")
	if w.metric(t, "attempts") != 0 {
		t.Error("remembered")
	}
	want(t, w.send(t, sample, "alice", "bob"), "ok", "ok")
	w.wantCopies(t, "alice:1 bob:1")
}

// TestLedgerLimits: attempts are forgotten after a time, and the oldest first when there are
// too many.
func TestLedgerLimits(t *testing.T) {
	w := newLedgerWorld(t, func(c *delivery.Config) { c.LedgerSize, c.LedgerKeep = 5, time.Hour })
	w.add["alice"], w.add["bob"] = "unknown", "unknown"
	text := func(i int) string { return fmt.Sprintf("X-Number: %d\r\n", i) + sample }
	for i := range 4 {
		want(t, w.send(t, text(i), "alice", "bob"), "unknown", "unknown")
	}
	if w.metric(t, "attempts") != 2 || w.metric(t, "forgotten_total") != 2 {
		t.Errorf("%v remembered, %v forgotten", w.metric(t, "attempts"), w.metric(t, "forgotten_total"))
	}
	w.add = map[string]string{}
	for i := range 3 {
		wantRepeated(t, w.send(t, text(i), "alice", "bob"), i == 2)
	}
	w.wantCopies(t, "alice:6 bob:6")
	w.clock.pass(time.Hour)
	wantRepeated(t, w.send(t, text(3), "alice", "bob"), false)
	w.add["alice"] = "unknown"
	all := strings.Repeat("alice bob root ", 3)
	want(t, w.send(t, text(9), strings.Fields(all)[:9]...), strings.Fields(strings.Repeat("unknown ok ok ", 3))...)
	delete(w.add, "alice")
	wantRepeated(t, w.send(t, text(9), "alice", "bob", "root"), true)
}

// TestRepeatAtOnce: of several who repeat the same at the same time, one repeats and the others
// send.
func TestRepeatAtOnce(t *testing.T) {
	w := newLedgerWorld(t, nil)
	w.add["alice"] = "unknown"
	want(t, w.send(t, sample, "alice"), "unknown")
	delete(w.add, "alice")
	e := w.envelope(t, "alice")
	const n = 10
	var wg sync.WaitGroup
	results := make([]delivery.Result, n)
	for i := range results {
		wg.Go(func() { results[i] = finish(t, w.Deliverer, e, sample) })
	}
	wg.Wait()
	repeated := 0
	for _, res := range results {
		want(t, res, "ok")
		if res.Repeated {
			repeated++
		}
	}
	if repeated != 1 {
		t.Errorf("%d were taken for the repetition", repeated)
	}
	w.wantCopies(t, fmt.Sprintf("alice:%d", n))
}

// TestReplyLost: the sender does not know of its success, and sends again.
func TestReplyLost(t *testing.T) {
	ctx := context.Background()
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		first := send(t, sample, "alice", "bob", "ALICE")
		want(t, first, "ok", "ok", "ok")
		w.ReplyLost(ctx, first)
		w.ReplyLost(ctx, first)
		w.took()
		for range 2 { // the second reply is lost, too
			res := send(t, sample, "alice", "bob", "ALICE")
			want(t, res, "ok", "ok", "ok")
			wantRepeated(t, res, true)
			if res.ID != first.ID {
				t.Errorf("id %s, want %s", res.ID, first.ID)
			}
			w.ReplyLost(ctx, res)
		}
		w.wantTook(t, "")
		w.clock.pass(3 * time.Hour) // nothing is written, so the id may be old
		want(t, send(t, sample, "alice", "bob", "ALICE"), "ok", "ok", "ok")
		w.wantTook(t, "")
		w.wantCopies(t, "alice:1 bob:1")
		wantRepeated(t, send(t, sample, "alice"), false)
	}
}

// TestReplyLostOfAFailure: a sender that was to hear of a failure does the same without it.
func TestReplyLostOfAFailure(t *testing.T) {
	ctx := context.Background()
	for _, single := range []bool{true, false} {
		w := newLedgerWorld(t, nil)
		send := w.sendLMTP
		if single {
			send = w.send
		}
		w.add["alice"] = "lost"
		res := send(t, sample, "alice", "bob", "root")
		want(t, res, "unknown", "ok", "ok")
		w.ReplyLost(ctx, res)
		w.ReplyLost(ctx, delivery.Result{Errors: []error{store.ErrUnavailable}})
		if w.metric(t, "attempts") != 1 {
			t.Errorf("%v attempts", w.metric(t, "attempts"))
		}
		delete(w.add, "alice")
		for _, local := range []string{"bob", "root", "alice"} {
			res := send(t, sample, local)
			want(t, res, "ok")
			wantRepeated(t, res, true)
		}
		w.wantCopies(t, "alice:1 bob:1 root:1")
		// Too late: it has tried again.
		w.ReplyLost(ctx, res)
		if w.metric(t, "attempts") != 0 {
			t.Error("an attempt that was used is there again")
		}

		w.add["alice"] = "unavailable"
		res = send(t, sample, "alice")
		want(t, res, "unavailable")
		w.ReplyLost(ctx, res)
		if w.metric(t, "attempts") != 0 {
			t.Error("nothing was stored, and it was remembered")
		}
	}
}
