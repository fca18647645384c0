package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
)

// shared makes servers share the ledger.
func shared(o *deliverytest.Options) { o.Ledger.Poll = time.Millisecond }

// via delivers through another server.
func (w *ledgerWorld) via(t testing.TB, d *deliverytest.Server, text string, locals ...string) delivery.Result {
	t.Helper()
	e := w.Envelope(t, locals...)
	e.SingleReply = true
	return deliverytest.Finish(t, d.Deliverer, e, text)
}

func share(t testing.TB, servers ...*deliverytest.Server) {
	t.Helper()
	for _, d := range servers {
		if err := d.Ledger.Exchange(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRepeatElsewhere: the second delivery reaches another server, and the third delivery the first
// server.
func TestRepeatElsewhere(t *testing.T) {
	w := newLedgerWorld(t, shared)
	other := w.another(t)
	w.add["alice"], w.add["bob"] = "unknown", "lost"
	w.took()
	first := w.send(t, deliverytest.Sample, "alice", "bob", "root")
	deliverytest.Want(t, first, "unknown", "unknown", "ok")
	w.wantTook(t, "AddMessages:1 PutAttempt:1 PutContent:1")
	delete(w.add, "alice")
	share(t, other)
	w.took()
	res := w.via(t, other, deliverytest.Sample, "alice", "bob", "root")
	deliverytest.Want(t, res, "ok", "unknown", "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantTook(t, "AddMessages:1 HasAttempt:1 PutAttempt:1 RemoveAttempt:1")
	delete(w.add, "bob")
	share(t, w.Server)
	res = w.send(t, deliverytest.Sample, "alice", "bob", "root")
	deliverytest.Want(t, res, "ok", "ok", "ok")
	if !res.Repeated || res.ID != first.ID {
		t.Errorf("%+v, want id %s", res, first.ID)
	}
	w.wantCopies(t, "alice:1 bob:1 root:1")
	// The other server still remembers the used attempt; the same text is another message now.
	share(t, w.Server, other)
	for i, d := range []*deliverytest.Server{other, w.Server} {
		res := w.via(t, d, deliverytest.Sample, "alice", "bob", "root")
		deliverytest.Want(t, res, "ok", "ok", "ok")
		deliverytest.WantRepeated(t, res, false)
		w.wantCopies(t, fmt.Sprintf("alice:%d", 2+i))
	}
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// TestReplyLostElsewhere: after a failed connection the sender repeats at another server.
func TestReplyLostElsewhere(t *testing.T) {
	w := newLedgerWorld(t, shared)
	other := w.another(t)
	w.took()
	res := w.send(t, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	w.wantTook(t, "AddMessages:1 PutContent:1") // a healthy delivery pays nothing
	ended, cancel := context.WithCancel(context.Background())
	cancel() // the session was closed by force
	w.ReplyLost(ended, res)
	share(t, other)
	w.took()
	res = w.via(t, other, deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantTook(t, "HasAttempt:1 RemoveAttempt:1")
	w.wantCopies(t, "alice:1 bob:1")

	// By LMTP, with a failed recipient: the attempt changes when the reply is lost.
	w.add["bob"] = "lost"
	res = w.sendLMTP(t, "X"+deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "unknown")
	delete(w.add, "bob")
	w.took()
	w.ReplyLost(ended, res)
	w.wantTook(t, "PutAttempt:1 RemoveAttempt:1")
	share(t, other)
	for _, local := range []string{"alice", "bob"} {
		deliverytest.WantRepeated(t, w.via(t, other, "X"+deliverytest.Sample, local), true)
	}
	w.wantCopies(t, "alice:2 bob:2")

	// Another server may use the attempt before the change.
	w.add["bob"] = "lost"
	first := w.sendLMTP(t, "Y"+deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	w.fail["RemoveAttempt"] = store.ErrOutcomeUnknown
	w.ReplyLost(ended, first)
	delete(w.fail, "RemoveAttempt")
	res = w.sendLMTP(t, "Y"+deliverytest.Sample, "alice", "bob")
	deliverytest.Want(t, res, "ok", "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:3 bob:3")
}

// TestSenderWaits: the other servers have read an attempt before the sender receives the failure.
func TestSenderWaits(t *testing.T) {
	timed := func(w *ledgerWorld, outcome string) time.Duration {
		w.add["alice"] = outcome
		start := time.Now()
		w.send(t, deliverytest.Sample, "alice")
		return time.Since(start)
	}
	const short = 100 * time.Millisecond
	soon := newLedgerWorld(t, func(o *deliverytest.Options) { o.Ledger.Poll = short })
	if took := timed(soon, "unknown"); took < short*3/2 {
		t.Errorf("it took %v only", took)
	}
	const poll = 5 * time.Minute // longer than a delivery without wait on the slowest machine
	w := newLedgerWorld(t, func(o *deliverytest.Options) { o.Ledger.Poll = poll })
	if took := timed(w, "unavailable"); took > poll {
		t.Errorf("it took %v though there was nothing to tell", took)
	}
	w.fail["PutAttempt"] = store.ErrUnavailable
	if took := timed(w, "unknown"); took > poll {
		t.Errorf("it took %v though the others were not told", took)
	}
	delete(w.fail, "PutAttempt")
	e := w.Envelope(t, "alice")
	ctx, cancel := context.WithCancel(context.Background())
	in, err := w.Begin(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	w.before = func(operation string) {
		if operation == "PutAttempt" {
			cancel() // the connection is gone: nobody waits
		}
	}
	start := time.Now()
	deliverytest.Want(t, in.Finish(ctx), "unknown")
	if took := time.Since(start); took > poll {
		t.Errorf("it took %v though nobody waits", took)
	}
	if len(w.attempts) != 1 {
		t.Errorf("%d attempts in the store", len(w.attempts))
	}
}

// TestTellLater: an attempt that could not be inserted is inserted later, under a new moment if the
// other servers do not read the old moment any more.
func TestTellLater(t *testing.T) {
	for _, late := range []time.Duration{0, 10 * time.Minute, time.Hour} {
		w := newLedgerWorld(t, shared)
		other := w.another(t)
		w.add["alice"], w.add["bob"] = "lost", "unavailable"
		w.fail["PutAttempt"] = store.ErrUnavailable
		share(t, other)
		first := w.send(t, deliverytest.Sample, "alice", "bob")
		deliverytest.Want(t, first, "unknown", "unavailable")
		if err := w.Ledger.Exchange(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Exchange: %v", err)
		}
		w.add, w.fail = map[string]string{}, map[string]error{}
		w.clock.pass(late)
		share(t, other)
		share(t, w.Server, other)
		res := w.via(t, other, deliverytest.Sample, "alice", "bob")
		deliverytest.Want(t, res, "ok", "ok")
		deliverytest.WantRepeated(t, res, true)
		// Under a new moment, the attempt may be stored under the old moment too.
		if (res.ID == first.ID) != (late == 0) {
			t.Errorf("id %s, before %s", res.ID, first.ID)
		}
		w.wantCopies(t, "alice:1 bob:1")
		share(t, w.Server, other)
		if len(w.attempts) > 0 {
			t.Errorf("left in the store: %v", w.attempts)
		}
		deliverytest.WantRepeated(t, w.send(t, deliverytest.Sample, "alice"), false)
	}
}

// TestLateStart: a server that starts reads all attempts, and a server whose reads failed for a while
// reads the missed attempts.
func TestLateStart(t *testing.T) {
	w := newLedgerWorld(t, shared)
	missed := w.another(t)
	share(t, missed)
	w.add["alice"] = "unknown"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	deliverytest.Want(t, w.send(t, "X"+deliverytest.Sample, "alice"), "unknown")
	delete(w.add, "alice")
	w.fail["Attempts"] = store.ErrUnavailable
	for range 3 {
		w.clock.pass(time.Hour)
		if err := missed.Ledger.Exchange(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Exchange: %v", err)
		}
	}
	delete(w.fail, "Attempts")
	started := w.another(t)
	share(t, missed, started)
	deliverytest.WantRepeated(t, w.via(t, missed, deliverytest.Sample, "alice"), true)
	deliverytest.WantRepeated(t, w.via(t, started, "X"+deliverytest.Sample, "alice"), true)
	w.wantCopies(t, "alice:2")
}

// TestReadTheNewest: a server with little memory reads the newest attempts.
func TestReadTheNewest(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	text := func(i int) string { return fmt.Sprintf("X-Number: %d\r\n", i) + deliverytest.Sample }
	for i := range 20 {
		deliverytest.Want(t, w.send(t, text(i), "alice"), "unknown")
	}
	delete(w.add, "alice")
	w.options.Ledger.Size = 5
	other := w.another(t)
	share(t, other)
	for i := range 20 {
		deliverytest.WantRepeated(t, w.via(t, other, text(i), "alice"), i >= 15)
	}
	w.wantCopies(t, "alice:35")
}

// TestUncertainClaim: if two servers may use an attempt, neither writes under its id.
func TestUncertainClaim(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	for _, fault := range []string{"HasAttempt", "RemoveAttempt"} {
		w.fail[fault] = store.ErrOutcomeUnknown
		deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
		delete(w.fail, fault)
	}
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:1")

	// The insert has an unknown outcome.
	w.add["alice"] = "lost"
	w.fail["PutAttempt"] = store.ErrOutcomeUnknown
	first = w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	w.add, w.fail = map[string]string{}, map[string]error{}
	res = w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantAnew(t, res, first)
	w.wantCopies(t, "alice:2")
}

// TestTwoAttempts: two servers delivered the same message before they exchanged attempts. Whatever the
// outcomes, one copy remains in the end.
func TestTwoAttempts(t *testing.T) {
	for _, hows := range [][2]string{{"unknown", "unknown"}, {"unknown", "lost"}, {"lost", "unknown"}, {"lost", "lost"}} {
		for _, bob := range []string{"", "unavailable"} {
			w := newLedgerWorld(t, shared)
			other := w.another(t)
			w.add["bob"] = bob
			w.add["alice"] = hows[0]
			w.send(t, deliverytest.Sample, "alice", "bob")
			w.add["alice"] = hows[1]
			w.via(t, other, deliverytest.Sample, "alice", "bob")
			delete(w.add, "alice")
			share(t, w.Server, other)
			w.fail["RemoveMessages"] = store.ErrUnavailable
			res := w.send(t, deliverytest.Sample, "alice")
			deliverytest.Want(t, res, "unavailable") // a second copy cannot be ruled out
			deliverytest.WantRepeated(t, res, true)
			delete(w.fail, "RemoveMessages")
			deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "ok")
			w.wantCopies(t, "alice:1")
		}
	}
}

// TestSpoiledElsewhere: another server has removed rows under the id.
func TestSpoiledElsewhere(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	first := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, first, "unknown")
	delete(w.add, "alice")
	for _, a := range w.attempts {
		a.Entered = a.Entered.Add(time.Second)
		a.ContentStored = false
		w.PutAttempt(t.Context(), a)
		break
	}
	if err := w.Embedded.RemoveMessages(t.Context(), deliverytest.Mailbox("alice"), []mail.MessageID{first.ID}); err != nil {
		t.Fatal(err)
	}
	share(t, w.Server)
	res := w.send(t, deliverytest.Sample, "alice")
	deliverytest.Want(t, res, "ok")
	deliverytest.WantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
}

// TestEachFault: after any single fault, a sender that repeats until a success has delivered one copy,
// at one server or at several.
func TestEachFault(t *testing.T) {
	for _, script := range []string{"", "unknown", "lost", "unavailable", "late"} {
		for _, elsewhere := range []bool{false, true} {
			t.Run(strings.TrimSpace(fmt.Sprint(script, " ", elsewhere)), func(t *testing.T) {
				storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
					eachFault(t, script, elsewhere, wrap)
				})
			})
		}
	}
}

// eachFault sends one message to three recipients until a success. The first delivery fails for bob
// as script says, and every operation may meet a fault.
func eachFault(t *testing.T, script string, elsewhere bool, wrap func(store.Store) store.Store) {
	w := newLedgerWorld(t, shared)
	faulty := wrap(w.script.levels())
	servers := make([]*deliverytest.Server, 2)
	for i := range servers {
		servers[i] = deliverytest.NewServer(t, w.options.Delivery, w.options.Ledger, w.Directory, faulty, nil)
	}
	e := w.Envelope(t, "alice", "bob", "root")
	e.SingleReply = true
	late := script == "late"
	if w.add["bob"] = script; late {
		w.add["bob"] = "lost"
	}
	for trial := range 5 {
		server := servers[0]
		if elsewhere {
			server = servers[trial%2]
		}
		err := errors.Join(server.Deliver(t.Context(), e, strings.NewReader(deliverytest.Sample))...)
		if err == nil {
			w.wantCopies(t, "alice:1 bob:1 root:1")
			return
		}
		delete(w.add, "bob")
		if late {
			w.clock.pass(40 * time.Minute)
		}
		for range 2 {
			for _, s := range servers {
				s.Ledger.Exchange(t.Context()) // it may meet the fault
			}
		}
	}
	t.Error("it never succeeds")
}

// TestShare: the exchange runs in the background. It logs its first failure and its recovery, survives
// a panic, and Close writes the pending attempts.
func TestShare(t *testing.T) {
	var log mailtest.Log
	w := newLedgerWorld(t, func(o *deliverytest.Options) {
		shared(o)
		o.Delivery.Now = nil
		o.Delivery.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	other := w.another(t)
	servers := []*deliverytest.Server{w.Server, other}
	for _, s := range servers {
		s.Ledger.Start(t.Context())
		defer s.Ledger.Close()
	}
	count := func(text string) int { return strings.Count(log.String(), text) }
	waitFor := func(what string, n int) {
		t.Helper()
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			if got := count(what); got < n {
				return fmt.Errorf("%d times %q, want %d", got, what, n)
			}
			return nil
		})
	}
	set := func(operation string, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.fail[operation] = err
	}
	reads := func() int {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.calls["Attempts"]
	}
	again := func() {
		t.Helper()
		before := reads()
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			if reads() < before+10 {
				return errors.New("it does not go on")
			}
			return nil
		})
	}
	again()
	set("Attempts", store.ErrUnavailable)
	waitFor("level=WARN", 2)
	again()
	set("Attempts", nil)
	waitFor("level=INFO", 2)
	if count("level=WARN") != 2 || count("level=INFO") != 2 {
		t.Errorf("the log has %s", log.String())
	}

	panics := make(chan bool, 1)
	panics <- true
	w.mu.Lock()
	w.before = func(operation string) {
		select {
		case <-panics:
			panic("a bug")
		default:
		}
	}
	w.mu.Unlock()
	waitFor("a bug", 1)
	again()
	waitFor("level=INFO", 3)

	set("PutAttempt", store.ErrUnavailable)
	w.add["alice"] = "lost"
	deliverytest.Want(t, w.send(t, deliverytest.Sample, "alice"), "unknown")
	again()
	read := make(chan bool, len(servers))
	w.mu.Lock()
	w.reading = func(ctx context.Context) {
		read <- true
		<-ctx.Done() // Close
		set("PutAttempt", nil)
	}
	w.mu.Unlock()
	for range servers {
		<-read
	}
	for _, s := range servers {
		s.Ledger.Close()
	}
	if len(w.attempts) != 1 {
		t.Errorf("%d attempts in the store", len(w.attempts))
	}

	alone := newLedgerWorld(t, nil) // not shared
	alone.took()
	alone.Ledger.Start(t.Context())
	alone.Ledger.Close()
	if took := alone.took(); took != "" {
		t.Errorf("it shares what is nobody else's: %s", took)
	}
}
