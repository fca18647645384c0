package cassandra

import (
	"context"
	"os"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// Hints that are there again begin the quiet time anew.
func TestHintsComeAgain(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.away(t, now.Add(-time.Minute), now)
	for _, step := range []struct {
		at      time.Duration
		pending bool
	}{{0, false}, {30 * time.Second, true}, {40 * time.Second, false}, {70 * time.Second, false}} {
		h := handoff{window: 3 * time.Hour, hidden: 35 * time.Second, pending: step.pending}
		s.judgeHandoff(now.Add(step.at), told{handoff: h, asked: now.Add(step.at)})
	}
	s.wantReads(t, "dc1", gocql.EachQuorum)
	s.judgeHandoff(now.Add(75*time.Second), told{handoff: handoff{window: 3 * time.Hour, hidden: 35 * time.Second}, asked: now.Add(75 * time.Second)})
	s.wantReads(t, "dc1", gocql.LocalQuorum)
}

// An answer to what was asked before the return says nothing about hints of the absence.
func TestAnswerFromBeforeTheReturn(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.away(t, now.Add(-time.Minute), now)
	for _, asked := range []time.Time{now.Add(-time.Hour), now.Add(-time.Second), now.Add(time.Second)} {
		if !s.failover.quiet.IsZero() {
			t.Error("an old answer counts")
		}
		answer := make(chan told, 1)
		answer <- told{handoff: handoff{window: 3 * time.Hour, hidden: 35 * time.Second}, asked: asked}
		s.failover.asker.answer, s.failover.asker.cancel = answer, func() {}
		s.confirm(t.Context(), now)
	}
	if s.failover.quiet.IsZero() {
		t.Error("a new answer does not count")
	}
}

// The local nodes have to be there for some time before anything goes back to them.
func TestReturnWaits(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	if err := s.depart(s.failover.other, now); err != nil {
		t.Fatal(err)
	}
	s.watchReturn(true, now)
	s.watchReturn(true, now.Add(2900*time.Millisecond))
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	s.watchReturn(false, now.Add(3*time.Second))
	s.watchReturn(true, now.Add(4*time.Second))
	s.watchReturn(true, now.Add(6900*time.Millisecond))
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	s.watchReturn(true, now.Add(7*time.Second))
	s.wantReads(t, "dc2", gocql.EachQuorum)
}

// The file that tells of an absence is written again when it was removed while the nodes are away.
func TestFileRemovedWhileAway(t *testing.T) {
	s := failing(t, t.TempDir())
	if err := s.depart(s.failover.other, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.spoolPath(absenceFile)); err != nil {
		t.Fatal(err)
	}
	s.failover.local = nil
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s.watchOther(ended, time.Now())
	if !s.isKept() {
		t.Error("a restart would forget that the local nodes lack something")
	}
}

// What is known of bulk mailboxes is forgotten when statements go another way, and what was marked
// through one datacenter is not marked through another.
func TestPlacesAreOfOneDatacenter(t *testing.T) {
	s := failing(t, t.TempDir())
	local := s.Levels().Local
	mailbox, since := mail.MailboxID{1}, micros(time.Now())
	s.learn(mailbox, func(p *place) {
		p.isBulk(since)
		p.marked[0], p.through = micros(s.now()), "dc1"
	})
	if !local.isMarked(mailbox, since, "dc1") || local.isMarked(mailbox, since, "dc2") {
		t.Errorf("marked through dc1: %v, through dc2: %v", local.isMarked(mailbox, since, "dc1"), local.isMarked(mailbox, since, "dc2"))
	}
	if err := s.depart(s.failover.other, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, known := s.placeOf(mailbox); known {
		t.Error("what was read in dc1 is believed in dc2")
	}
}

// What is removed while a floor is looked at counts for the next look.
func TestDrainedMeanwhile(t *testing.T) {
	var d drained
	mailbox := mail.MailboxID{1}
	d.note(mailbox, 10)
	d.take(10)
	d.note(mailbox, 7)
	d.raised(mailbox)
	if n := d.stuck(mailbox); n != 7 {
		t.Errorf("%d removals are counted, want 7", n)
	}
	if list := d.take(7); len(list) != 1 {
		t.Errorf("%d mailboxes are due, want 1", len(list))
	}
}
