package cassandra

import (
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// Hints that appear again start the quiet time anew.
func TestHintsComeAgain(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.away(t, now.Add(-time.Minute), now)
	for _, step := range []struct {
		at      time.Duration
		pending bool
	}{{0, false}, {30 * time.Second, true}, {40 * time.Second, false}, {70 * time.Second, false}} {
		h := handoff{window: 3 * time.Hour, hidden: 35 * time.Second, pending: step.pending}
		s.confirmation.judge(now.Add(step.at), handoffAnswer{handoff: h, asked: now.Add(step.at)})
	}
	s.wantReads(t, "dc1", gocql.EachQuorum)
	s.confirmation.judge(now.Add(75*time.Second), handoffAnswer{handoff: handoff{window: 3 * time.Hour, hidden: 35 * time.Second}, asked: now.Add(75 * time.Second)})
	s.wantReads(t, "dc1", gocql.LocalQuorum)
}

// An answer to a question from before the return says nothing about hints of the absence.
func TestAnswerFromBeforeTheReturn(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.away(t, now.Add(-time.Minute), now)
	for _, asked := range []time.Time{now.Add(-time.Hour), now.Add(-time.Second), now.Add(time.Second)} {
		if !s.confirmation.quiet.IsZero() {
			t.Error("an old answer counts")
		}
		answer := make(chan handoffAnswer, 1)
		answer <- handoffAnswer{handoff: handoff{window: 3 * time.Hour, hidden: 35 * time.Second}, asked: asked}
		s.confirmation.asker.answer, s.confirmation.asker.cancel = answer, func() {}
		s.confirmation.step(t.Context(), s.local, now)
	}
	if s.confirmation.quiet.IsZero() {
		t.Error("a new answer does not count")
	}
}

// Statements return only after the local nodes have answered for some time.
func TestReturnWaits(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	if err := s.depart(s.others["dc2"], now, noLocalNode); err != nil {
		t.Fatal(err)
	}
	s.watchReturn(true, now, always)
	s.watchReturn(true, now.Add(2900*time.Millisecond), always)
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	s.watchReturn(false, now.Add(3*time.Second), always)
	s.watchReturn(true, now.Add(4*time.Second), always)
	s.watchReturn(true, now.Add(6900*time.Millisecond), always)
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	s.watchReturn(true, now.Add(7*time.Second), always)
	s.wantReads(t, "dc2", gocql.EachQuorum)
}

// A step whose probes are slow shortens no wait: unconfirmed reads may begin until its end.
func TestReturnWaitsAfterSlowStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := failing(t, t.TempDir())
		if err := s.depart(s.others["dc2"], time.Now(), noLocalNode); err != nil {
			t.Fatal(err)
		}
		slowly := func() bool { time.Sleep(2 * probeTime); return true }
		s.watchReturn(true, time.Now(), slowly)
		time.Sleep(3 * time.Second)
		for s.link.origin() == "dc2" && !s.link.confirming.Load() {
			s.watchReturn(true, time.Now(), slowly)
		}
		confirmed := time.Now()
		for s.link.origin() == "dc2" {
			s.watchReturn(true, time.Now(), always)
			time.Sleep(100 * time.Millisecond)
		}
		if waited := time.Since(confirmed); waited < s.cfg.QueueTime+time.Second {
			t.Errorf("statements returned %v after the last unconfirmed read", waited)
		}
	})
}

// The file of an absence is written again if it was removed while the nodes are away.
func TestFileRemovedWhileAway(t *testing.T) {
	s := failing(t, t.TempDir())
	if err := s.depart(s.others["dc2"], time.Now(), noLocalNode); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.confirmation.file.path); err != nil {
		t.Fatal(err)
	}
	s.local = nil
	s.others["dc2"].session = visitor{continent: continent{"dc2": serving}, datacenter: "dc2"}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.watchOther(ended, time.Now())
	if !s.confirmation.file.exists() {
		t.Error("a restart would forget that the local nodes lack writes")
	}
}

// A failover clears the states of bulk mailboxes, and a marker written through one datacenter does
// not count for another.
func TestBulkStatesAreOfOneDatacenter(t *testing.T) {
	f := failing(t, t.TempDir())
	states := newBulkStates(time.Hour)
	f.link.switched = states.forgetAll
	m := &markers{cfg: f.cfg, link: f.link, states: states}
	mailbox, since := mail.MailboxID{1}, micros(time.Now())
	states.change(mailbox, func(b *bulkState) {
		b.noteSince(since)
		b.marked[0], b.through = micros(f.cfg.Now()), "dc1"
	})
	fresh := func(through string) bool { return m.isFresh(mailbox, since, through, gocql.LocalQuorum) }
	if !fresh("dc1") || fresh("dc2") {
		t.Errorf("fresh through dc1: %v, through dc2: %v", fresh("dc1"), fresh("dc2"))
	}
	if err := f.depart(f.others["dc2"], time.Now(), noLocalNode); err != nil {
		t.Fatal(err)
	}
	if _, known := states.of(mailbox); known {
		t.Error("a state read in dc1 is used in dc2")
	}
}

// Removals during a visit of the floor job count for the next visit.
func TestRemovalCountsMeanwhile(t *testing.T) {
	var d removalCounts
	mailbox, now := mail.MailboxID{1}, time.Now()
	old := messagesOf(now.Add(-time.Hour), 10)
	d.note(mailbox, old, now)
	d.take(10, now)
	d.note(mailbox, old[:7], now)
	d.raised(mailbox)
	if n := d.stuck(mailbox); n != 7 {
		t.Errorf("%d removals are counted, want 7", n)
	}
	if list := d.take(7, now); len(list) != 1 {
		t.Errorf("%d mailboxes are due, want 1", len(list))
	}
}
