package cassandra

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/limit"
)

// failing returns a failover without usable routes, with a new spool folder or the folder of an
// earlier process.
func failing(t *testing.T, spool string) *failover {
	t.Helper()
	cfg, err := Config{
		Hosts: []string{"127.0.0.1"}, Datacenter: "dc1", Failover: []string{"dc2"}, FailoverAfter: time.Second,
		SpoolDir: spool, Server: "test", Logger: slog.New(slog.DiscardHandler),
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := newComplaints(cfg.Logger)
	f := newFailover(newLink(cfg, nil, newMetrics(limit.New(limit.Config{})), newPeerNodes(cfg, c)), c)
	f.local, f.others = &route{datacenter: "dc1"}, map[string]*route{"dc2": {datacenter: "dc2"}}
	f.link.current.Store(f.local)
	return f
}

// away leads statements to dc2 from moment left to moment back, step by step.
func (f *failover) away(t *testing.T, left, back time.Time) {
	t.Helper()
	if err := f.depart(f.others["dc2"], left, noLocalNode); err != nil {
		t.Fatal(err)
	}
	f.comesBack(t, back)
}

// comesBack lets the local nodes answer for long enough to lead statements back to them.
func (f *failover) comesBack(t *testing.T, at time.Time) {
	t.Helper()
	start := at.Add(-3*f.cfg.FailoverAfter - 2*time.Second)
	for _, step := range []time.Duration{0, 3 * time.Second, 3 * time.Second, 5 * time.Second} {
		f.watchReturn(true, start.Add(step), always)
	}
	f.wantReads(t, "dc1", gocql.EachQuorum)
}

// always is the probe of confirmed reads while every datacenter has a quorum.
func always() bool { return true }

// restart returns the failover of another process, started while the local nodes answer.
func (f *failover) restart(t *testing.T, now time.Time) *failover {
	t.Helper()
	again := failing(t, f.cfg.SpoolDir)
	if recorded := again.confirmation.file.load(); recorded != nil {
		again.confirmation.resume(recorded, now)
	}
	return again
}

func (f *failover) wantReads(t *testing.T, datacenter string, want gocql.Consistency) {
	t.Helper()
	_, got := (&runner{look: f.link.look}).aim(statement{consistency: level{levelLocal, f.link}.reads()})
	if f.link.origin() != datacenter || got != want {
		t.Fatalf("reads go through %s at %v, want %s at %v", f.link.origin(), got, datacenter, want)
	}
}

// quiet lets the nodes of the other datacenters have no hints for d from a moment on, and keep hints
// for 3 hours.
func (f *failover) quiet(from time.Time, d time.Duration) {
	h := handoff{window: 3 * time.Hour, hidden: 35 * time.Second}
	for at := time.Duration(0); at <= d && f.confirmation.absence != nil; at += 5 * time.Second {
		f.confirmation.judge(from.Add(at), handoffAnswer{handoff: h, asked: from.Add(at)})
	}
}

// After an absence reads are confirmed until the nodes have reported no hints for longer than a hint
// can stay unseen, also if FailoverAfter is short.
func TestConfirmUntilNoHints(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.wantReads(t, "dc1", gocql.LocalQuorum)
	s.away(t, now.Add(-time.Minute), now)
	s.confirmation.judge(now, handoffAnswer{handoff: handoff{window: 3 * time.Hour, hidden: 35 * time.Second, pending: true}, asked: now})
	s.quiet(now, 30*time.Second)
	s.wantReads(t, "dc1", gocql.EachQuorum)
	s.confirmation.judge(now.Add(31*time.Second), handoffAnswer{err: errors.New("a node is away"), asked: now})
	s.quiet(now.Add(32*time.Second), 30*time.Second)
	s.wantReads(t, "dc1", gocql.EachQuorum)
	s.quiet(now.Add(65*time.Second), 40*time.Second)
	s.wantReads(t, "dc1", gocql.LocalQuorum)
	if s.confirmation.file.exists() {
		t.Error("the file is left behind")
	}
	s.restart(t, now).wantReads(t, "dc1", gocql.LocalQuorum)
}

// Confirmation ends by itself only if the absence was shorter than nodes keep hints.
func TestConfirmAfterLongAbsence(t *testing.T) {
	now := time.Now()
	for _, away := range []time.Duration{3 * time.Hour, 5 * time.Hour} {
		s := failing(t, t.TempDir())
		s.away(t, now.Add(-away), now)
		s.quiet(now, time.Hour)
		s.wantReads(t, "dc1", gocql.EachQuorum)
	}
	s := failing(t, t.TempDir())
	s.away(t, now.Add(-time.Minute), now)
	s.confirmation.judge(now, handoffAnswer{handoff: handoff{window: 0}, asked: now}) // nodes keep no hints
	s.confirmation.judge(now.Add(time.Hour), handoffAnswer{handoff: handoff{window: 0}, asked: now.Add(time.Hour)})
	s.wantReads(t, "dc1", gocql.EachQuorum)
}

// A short absence, or many, does not hide an earlier long absence that no operator has repaired, in
// the same process or in another process.
func TestSecondAbsence(t *testing.T) {
	now := time.Now()
	for _, restart := range []bool{false, true} {
		s := failing(t, t.TempDir())
		s.away(t, now.Add(-5*time.Hour), now)
		for i := range 3 {
			if restart {
				s = s.restart(t, now)
			}
			at := now.Add(time.Duration(i+1) * 10 * time.Minute)
			s.away(t, at.Add(-time.Minute), at)
			s.quiet(at, 5*time.Minute)
			s.wantReads(t, "dc1", gocql.EachQuorum)
		}
		if err := os.Remove(s.confirmation.file.path); err != nil {
			t.Fatal(err)
		}
		s.confirmation.step(t.Context(), s.local, now) // the operator has repaired the local nodes
		s.wantReads(t, "dc1", gocql.LocalQuorum)
		s.away(t, now.Add(20*time.Hour), now.Add(20*time.Hour+time.Minute))
		s.quiet(now.Add(20*time.Hour+time.Minute), time.Minute)
		s.wantReads(t, "dc1", gocql.LocalQuorum)
	}
}

// Absences between which hints were not through count as one absence, from the first leaving to the
// last return: nodes keep no hints beyond the window of the oldest hint.
func TestAbsencesAddUp(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.away(t, now, now.Add(2*time.Hour))
	s.away(t, now.Add(2*time.Hour+time.Minute), now.Add(4*time.Hour))
	s.quiet(now.Add(4*time.Hour), time.Hour)
	s.wantReads(t, "dc1", gocql.EachQuorum)
}

// The local nodes go away while reads are confirmed: reads then ask the other datacenter alone, and
// are confirmed again after the return.
func TestAwayWhileConfirming(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	s.away(t, now.Add(-time.Minute), now)
	if err := s.depart(s.others["dc2"], now, noLocalNode); err != nil {
		t.Fatal(err)
	}
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	s.comesBack(t, now.Add(time.Minute))
}

// Reads are confirmed before statements return to the local nodes, so that no earlier read asks the
// local nodes alone. The return is off if the nodes go away again meanwhile.
func TestConfirmBeforeReturn(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	if err := s.depart(s.others["dc2"], now, noLocalNode); err != nil {
		t.Fatal(err)
	}
	s.watchReturn(true, now, always)
	s.watchReturn(true, now.Add(3*time.Second), always)
	s.wantReads(t, "dc2", gocql.EachQuorum)
	s.watchReturn(true, now.Add(4*time.Second), always)
	s.wantReads(t, "dc2", gocql.EachQuorum)
	s.watchReturn(false, now.Add(5*time.Second), always)
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	s.comesBack(t, now.Add(time.Minute))
}

// A server that restarts during a failover, or after the return, knows the absence and its beginning.
func TestRestartInFailover(t *testing.T) {
	now := time.Now()
	s := failing(t, t.TempDir())
	if err := s.depart(s.others["dc2"], now.Add(-5*time.Hour), noLocalNode); err != nil {
		t.Fatal(err)
	}
	// Started when the local nodes are back.
	again := s.restart(t, now)
	again.wantReads(t, "dc1", gocql.EachQuorum)
	again.quiet(now, time.Hour)
	again.wantReads(t, "dc1", gocql.EachQuorum)
	again.restart(t, now.Add(time.Hour)).wantReads(t, "dc1", gocql.EachQuorum)

	// Started twice while the nodes are away: the absence began before the first start.
	spool := t.TempDir()
	s = failing(t, spool)
	if err := s.depart(s.others["dc2"], now.Add(-5*time.Hour), noLocalNode); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = failing(t, spool)
		s.confirmation.absence = s.confirmation.file.load()
		if err := s.depart(s.others["dc2"], now, noLocalNode); err != nil {
			t.Fatal(err)
		}
	}
	s.comesBack(t, now.Add(time.Minute))
	s.quiet(now, time.Hour)
	s.wantReads(t, "dc1", gocql.EachQuorum)
}

// The first start is while the local nodes are away, for an unknown time: the absence may have been
// longer than nodes keep hints. If an earlier server has stored when the nodes answered last, the
// stored time counts.
func TestStartWhileAway(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		seen time.Time
		end  gocql.Consistency
	}{
		{time.Time{}, gocql.EachQuorum},
		{now.Add(-time.Hour), gocql.LocalQuorum},
		{now.Add(-4 * time.Hour), gocql.EachQuorum},
		{now.Add(4 * time.Hour), gocql.EachQuorum}, // by a clock that was wrong
	} {
		s := failing(t, t.TempDir())
		if !c.seen.IsZero() {
			s.peers.set(map[string][]string{"dc2": {"10.2.0.1:9042"}}, c.seen)
			s.peers.save()
		}
		s = failing(t, s.cfg.SpoolDir)
		if err := s.depart(s.others["dc2"], s.peers.lastSeen(), noLocalNode); err != nil {
			t.Fatal(err)
		}
		s.comesBack(t, now.Add(time.Minute))
		s.quiet(now.Add(time.Minute), time.Minute)
		s.wantReads(t, "dc1", c.end)
	}
}

// If the absence cannot be written to the disk, statements stay with the local datacenter.
func TestNoFailoverUnkept(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	s := failing(t, missing)
	if err := s.depart(s.others["dc2"], time.Now(), noLocalNode); err == nil {
		t.Fatal("a restart would forget that the local nodes lack writes")
	}
	s.wantReads(t, "dc1", gocql.LocalQuorum)
	if err := os.Mkdir(missing, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.depart(s.others["dc2"], time.Now(), noLocalNode); err != nil {
		t.Fatal(err)
	}
	s.wantReads(t, "dc2", gocql.LocalQuorum)
}

// If the return cannot be written, reads are confirmed all the same: a missing file is no order to
// stop. Once the file exists, its removal is such an order.
func TestConfirmingWithoutItsFile(t *testing.T) {
	now := time.Now()
	spool := filepath.Join(t.TempDir(), "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	s := failing(t, spool)
	if err := s.depart(s.others["dc2"], now.Add(-time.Minute), noLocalNode); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(spool); err != nil {
		t.Fatal(err)
	}
	s.comesBack(t, now)
	if s.confirmation.obey() {
		t.Fatal("reads are not confirmed any more, though nobody said so")
	}
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	if s.confirmation.obey() || !s.confirmation.file.exists() {
		t.Fatal("the file was not written as soon as possible")
	}
	if err := os.Remove(s.confirmation.file.path); err != nil {
		t.Fatal(err)
	}
	if !s.confirmation.obey() {
		t.Error("the operator removed the file, and reads are still confirmed")
	}
	s.wantReads(t, "dc1", gocql.LocalQuorum)
}
