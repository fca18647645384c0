package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/delivery"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
)

// shared makes the ledger one that servers share.
func shared(c *delivery.Config) { c.LedgerPoll = time.Millisecond }

// via delivers through another server.
func (w *ledgerWorld) via(t testing.TB, d *delivery.Deliverer, text string, locals ...string) delivery.Result {
	t.Helper()
	e := w.envelope(t, locals...)
	e.SingleReply = true
	return finish(t, d, e, text)
}

func share(t testing.TB, ds ...*delivery.Deliverer) {
	t.Helper()
	for _, d := range ds {
		if err := d.ShareAttempts(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRepeatElsewhere: the second trial comes to another server, the third to the first again.
func TestRepeatElsewhere(t *testing.T) {
	w := newLedgerWorld(t, shared)
	other := w.another(t)
	w.add["alice"], w.add["bob"] = "unknown", "lost"
	w.took()
	first := w.send(t, sample, "alice", "bob", "root")
	want(t, first, "unknown", "unknown", "ok")
	w.wantTook(t, "AddMessages:1 PutAttempt:1 PutContent:1")
	delete(w.add, "alice")
	share(t, other)
	w.took()
	res := w.via(t, other, sample, "alice", "bob", "root")
	want(t, res, "ok", "unknown", "ok")
	wantRepeated(t, res, true)
	w.wantTook(t, "AddMessages:1 HasAttempt:1 PutAttempt:1 RemoveAttempt:1")
	delete(w.add, "bob")
	share(t, w.Deliverer)
	res = w.send(t, sample, "alice", "bob", "root")
	want(t, res, "ok", "ok", "ok")
	if !res.Repeated || res.ID != first.ID {
		t.Errorf("%+v, want id %s", res, first.ID)
	}
	w.wantCopies(t, "alice:1 bob:1 root:1")
	// The other has the used one in its memory still; now it is another message.
	share(t, w.Deliverer, other)
	for i, d := range []*delivery.Deliverer{other, w.Deliverer} {
		res := w.via(t, d, sample, "alice", "bob", "root")
		want(t, res, "ok", "ok", "ok")
		wantRepeated(t, res, false)
		w.wantCopies(t, fmt.Sprintf("alice:%d", 2+i))
	}
	if len(w.attempts) > 0 {
		t.Errorf("left in the store: %v", w.attempts)
	}
}

// TestReplyLostElsewhere: the sender goes to another server after its connection failed.
func TestReplyLostElsewhere(t *testing.T) {
	w := newLedgerWorld(t, shared)
	other := w.another(t)
	w.took()
	res := w.send(t, sample, "alice", "bob")
	want(t, res, "ok", "ok")
	w.wantTook(t, "AddMessages:1 PutContent:1") // a healthy delivery pays nothing
	ended, cancel := context.WithCancel(context.Background())
	cancel() // the session was closed by force
	w.ReplyLost(ended, res)
	share(t, other)
	w.took()
	res = w.via(t, other, sample, "alice", "bob")
	want(t, res, "ok", "ok")
	wantRepeated(t, res, true)
	w.wantTook(t, "HasAttempt:1 RemoveAttempt:1")
	w.wantCopies(t, "alice:1 bob:1")

	// By LMTP, with a recipient that failed: the entry changes when the reply is lost.
	w.add["bob"] = "lost"
	res = w.sendLMTP(t, "X"+sample, "alice", "bob")
	want(t, res, "ok", "unknown")
	delete(w.add, "bob")
	w.took()
	w.ReplyLost(ended, res)
	w.wantTook(t, "PutAttempt:1 RemoveAttempt:1")
	share(t, other)
	for _, local := range []string{"alice", "bob"} {
		wantRepeated(t, w.via(t, other, "X"+sample, local), true)
	}
	w.wantCopies(t, "alice:2 bob:2")

	// Another server may take the entry before the change.
	w.add["bob"] = "lost"
	first := w.sendLMTP(t, "Y"+sample, "alice", "bob")
	want(t, first, "ok", "unknown")
	delete(w.add, "bob")
	w.fail["RemoveAttempt"] = store.ErrOutcomeUnknown
	w.ReplyLost(ended, first)
	delete(w.fail, "RemoveAttempt")
	res = w.sendLMTP(t, "Y"+sample, "alice", "bob")
	want(t, res, "ok", "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:3 bob:3")
}

// TestSenderWaits: the others have read of an attempt before the sender hears of its failure.
func TestSenderWaits(t *testing.T) {
	timed := func(w *ledgerWorld, outcome string) time.Duration {
		w.add["alice"] = outcome
		start := time.Now()
		w.send(t, sample, "alice")
		return time.Since(start)
	}
	const short = 100 * time.Millisecond
	soon := newLedgerWorld(t, func(c *delivery.Config) { c.LedgerPoll = short })
	if took := timed(soon, "unknown"); took < short*3/2 {
		t.Errorf("it took %v only", took)
	}
	const poll = 5 * time.Minute // what does not wait takes less on the slowest machine
	w := newLedgerWorld(t, func(c *delivery.Config) { c.LedgerPoll = poll })
	if took := timed(w, "unavailable"); took > poll {
		t.Errorf("it took %v though there was nothing to tell", took)
	}
	w.fail["PutAttempt"] = store.ErrUnavailable
	if took := timed(w, "unknown"); took > poll {
		t.Errorf("it took %v though the others were not told", took)
	}
	delete(w.fail, "PutAttempt")
	e := w.envelope(t, "alice")
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
	want(t, in.Finish(ctx), "unknown")
	if took := time.Since(start); took > poll {
		t.Errorf("it took %v though nobody waits", took)
	}
	if len(w.attempts) != 1 {
		t.Errorf("%d attempts in the store", len(w.attempts))
	}
}

// TestTellLater: what could not be told is told later, under another name if it is too old for
// the others to look for it.
func TestTellLater(t *testing.T) {
	for _, late := range []time.Duration{0, 10 * time.Minute, time.Hour} {
		w := newLedgerWorld(t, shared)
		other := w.another(t)
		w.add["alice"], w.add["bob"] = "lost", "unavailable"
		w.fail["PutAttempt"] = store.ErrUnavailable
		share(t, other)
		first := w.send(t, sample, "alice", "bob")
		want(t, first, "unknown", "unavailable")
		if err := w.ShareAttempts(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("ShareAttempts: %v", err)
		}
		w.add, w.fail = map[string]string{}, map[string]error{}
		w.clock.pass(late)
		share(t, other)
		share(t, w.Deliverer, other)
		res := w.via(t, other, sample, "alice", "bob")
		want(t, res, "ok", "ok")
		wantRepeated(t, res, true)
		// Under another name the old one may be there too.
		if (res.ID == first.ID) != (late == 0) {
			t.Errorf("id %s, before %s", res.ID, first.ID)
		}
		w.wantCopies(t, "alice:1 bob:1")
		share(t, w.Deliverer, other)
		if len(w.attempts) > 0 {
			t.Errorf("left in the store: %v", w.attempts)
		}
		wantRepeated(t, w.send(t, sample, "alice"), false)
	}
}

// TestLateStart: a server that starts reads all that is remembered, and one that could not read
// for a while what it missed.
func TestLateStart(t *testing.T) {
	w := newLedgerWorld(t, shared)
	missed := w.another(t)
	share(t, missed)
	w.add["alice"] = "unknown"
	want(t, w.send(t, sample, "alice"), "unknown")
	want(t, w.send(t, "X"+sample, "alice"), "unknown")
	delete(w.add, "alice")
	w.fail["Attempts"] = store.ErrUnavailable
	for range 3 {
		w.clock.pass(time.Hour)
		if err := missed.ShareAttempts(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("ShareAttempts: %v", err)
		}
	}
	delete(w.fail, "Attempts")
	started := w.another(t)
	share(t, missed, started)
	wantRepeated(t, w.via(t, missed, sample, "alice"), true)
	wantRepeated(t, w.via(t, started, "X"+sample, "alice"), true)
	w.wantCopies(t, "alice:2")
}

// TestReadTheNewest: of more than it can remember a server remembers the newest.
func TestReadTheNewest(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "unknown"
	text := func(i int) string { return fmt.Sprintf("X-Number: %d\r\n", i) + sample }
	for i := range 20 {
		want(t, w.send(t, text(i), "alice"), "unknown")
	}
	delete(w.add, "alice")
	w.cfg.LedgerSize = 5
	other := w.another(t)
	share(t, other)
	for i := range 20 {
		wantRepeated(t, w.via(t, other, text(i), "alice"), i >= 15)
	}
	w.wantCopies(t, "alice:35")
}

// TestUncertainClaim: where two servers may have taken one attempt for theirs, none of them
// writes under its id.
func TestUncertainClaim(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	for _, fault := range []string{"HasAttempt", "RemoveAttempt"} {
		w.fail[fault] = store.ErrOutcomeUnknown
		want(t, w.send(t, sample, "alice"), "unknown")
		delete(w.fail, fault)
	}
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:1")

	// It is not known whether the others know of it.
	w.add["alice"] = "lost"
	w.fail["PutAttempt"] = store.ErrOutcomeUnknown
	first = w.send(t, sample, "alice")
	want(t, first, "unknown")
	w.add, w.fail = map[string]string{}, map[string]error{}
	res = w.send(t, sample, "alice")
	want(t, res, "ok")
	wantAnew(t, res, first)
	w.wantCopies(t, "alice:2")
}

// TestTwoAttempts: two servers tried the same without knowing of each other. However their
// trials went, there is one copy in the end.
func TestTwoAttempts(t *testing.T) {
	for _, hows := range [][2]string{{"unknown", "unknown"}, {"unknown", "lost"}, {"lost", "unknown"}, {"lost", "lost"}} {
		for _, bob := range []string{"", "unavailable"} {
			w := newLedgerWorld(t, shared)
			other := w.another(t)
			w.add["bob"] = bob
			w.add["alice"] = hows[0]
			w.send(t, sample, "alice", "bob")
			w.add["alice"] = hows[1]
			w.via(t, other, sample, "alice", "bob")
			delete(w.add, "alice")
			share(t, w.Deliverer, other)
			w.fail["RemoveMessages"] = store.ErrUnavailable
			res := w.send(t, sample, "alice")
			want(t, res, "unavailable") // a second copy cannot be ruled out
			wantRepeated(t, res, true)
			delete(w.fail, "RemoveMessages")
			want(t, w.send(t, sample, "alice"), "ok")
			w.wantCopies(t, "alice:1")
		}
	}
}

// TestSpoiledElsewhere: another server knows that an id is of no use any more.
func TestSpoiledElsewhere(t *testing.T) {
	w := newLedgerWorld(t, shared)
	w.add["alice"] = "lost"
	first := w.send(t, sample, "alice")
	want(t, first, "unknown")
	delete(w.add, "alice")
	for _, a := range w.attempts {
		a.Entered = a.Entered.Add(time.Second)
		a.ContentStored = false
		w.PutAttempt(t.Context(), a)
		break
	}
	if err := w.store.RemoveMessages(t.Context(), mailboxOf("alice"), []mail.MessageID{first.ID}); err != nil {
		t.Fatal(err)
	}
	share(t, w.Deliverer)
	res := w.send(t, sample, "alice")
	want(t, res, "ok")
	wantRepeated(t, res, true)
	w.wantCopies(t, "alice:1")
}

// TestEachFault: whatever fails once, a sender that tries again until it succeeds has delivered
// one copy, by whichever server.
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

// eachFault sends one message to three recipients until it succeeds. The first trial fails for
// bob as script says, and every operation may meet a fault.
func eachFault(t *testing.T, script string, elsewhere bool, wrap func(store.Store) store.Store) {
	w := newLedgerWorld(t, shared)
	faulty := wrap(w.script.levels())
	servers := make([]*delivery.Deliverer, 2)
	for i := range servers {
		var err error
		if servers[i], err = delivery.New(w.cfg, w.dir, faulty, nil); err != nil {
			t.Fatal(err)
		}
	}
	e := w.envelope(t, "alice", "bob", "root")
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
		err := errors.Join(server.Deliver(t.Context(), e, strings.NewReader(sample))...)
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
				s.ShareAttempts(t.Context()) // it may be what fails
			}
		}
	}
	t.Error("it never succeeds")
}

// TestShare: sharing goes on in the background. It says so once when it fails, and once when it
// works again, survives a panic, and says at the end what is left to say.
func TestShare(t *testing.T) {
	var log mailtest.Log
	w := newLedgerWorld(t, func(c *delivery.Config) {
		shared(c)
		c.Now = nil
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	other := w.another(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	for _, d := range []*delivery.Deliverer{w.Deliverer, other} {
		running.Go(func() { d.Share(ctx) })
	}
	count := func(text string) int { return strings.Count(log.String(), text) }
	waitFor := func(what string, n int) {
		t.Helper()
		mailtest.WaitFor(t, time.Minute, func() error {
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
		mailtest.WaitFor(t, time.Minute, func() error {
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
	want(t, w.send(t, sample, "alice"), "unknown")
	again()
	w.mu.Lock()
	w.before = func(operation string) {
		if operation == "Attempts" {
			// In one step: a last write between the two would fail.
			w.mu.Lock()
			defer w.mu.Unlock()
			cancel()
			w.fail["PutAttempt"] = nil // just in time
		}
	}
	w.mu.Unlock()
	running.Wait()
	if len(w.attempts) != 1 {
		t.Errorf("%d attempts in the store", len(w.attempts))
	}

	start := time.Now()
	newLedgerWorld(t, nil).Share(t.Context()) // not shared
	if time.Since(start) > 30*time.Second {
		t.Error("it shares what is nobody else's")
	}
}
