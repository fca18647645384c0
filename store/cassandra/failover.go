package cassandra

import (
	"context"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// probeTime is how long a node has to answer whether it is there.
const probeTime = 2 * time.Second

// backFactor is how many times Config.FailoverAfter the local nodes have to be there again before
// the server returns to them, and without hints for them, at least, before reads of theirs are
// believed.
const backFactor = 3

// failover leads statements through another datacenter while no local node can be reached, and
// back.
//
//	local      --no node answers for FailoverAfter, which is kept on the disk--> another
//	another    --a quorum answers for 3 x FailoverAfter--> another, reads confirmed
//	           --reads begun before are over--> local, reads confirmed
//	local, reads confirmed --no hints left, see confirm.go--> local
//	                       --no node answers for FailoverAfter, which is kept--> another
//
// What is kept is an absence; it only ends when reads are no longer confirmed.
type failover struct {
	cancel context.CancelFunc
	ended  chan struct{}

	// Used by start, and then by the goroutine that watches.
	local, other *route    // nil: not open
	since        time.Time // when the present run of probes with one result began
	answered     time.Time // when a local node answered for the last time
	absence      *absence  // nil: reads of the local nodes are believed
	kept         bool      // the file tells of absence
	confirmed    time.Time // when reads began to be confirmed, before a return
	learnt       time.Time // when the nodes of the others were last asked for
	quiet        time.Time // since when there are no hints; zero: there are
	asker        asker
	complaints   seldom

	confirming atomic.Bool // reads are confirmed with the other datacenters
}

// startFailover begins to watch. Without other datacenters to go to, and without an absence that
// another configuration left, there is nothing to watch.
func (s *engine) startFailover(ctx context.Context) {
	f := &s.failover
	f.ended = make(chan struct{})
	watching, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	if len(s.cfg.Failover) == 0 && f.absence == nil {
		close(f.ended)
		return
	}
	s.learnNodes(ctx, time.Now())
	every := min(max(s.cfg.FailoverAfter/5, 200*time.Millisecond), probeTime)
	go func() {
		defer close(f.ended)
		again := time.NewTicker(every)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				s.watchRoutes(watching, time.Now())
			case <-watching.Done():
				return
			}
		}
	}()
}

// stopFailover ends the watch; sessions are closed by closeRoutes.
func (s *engine) stopFailover() {
	s.failover.cancel()
	<-s.failover.ended
}

func (s *engine) closeRoutes() {
	s.failover.asker.close()
	for _, r := range []*route{s.failover.local, s.failover.other} {
		if r != nil {
			endSession(r.session)
		}
	}
}

// watchRoutes does one step.
func (s *engine) watchRoutes(ctx context.Context, now time.Time) {
	if s.route.Load() == s.failover.local {
		s.watchLocal(ctx, now)
	} else {
		s.watchOther(ctx, now)
	}
}

// watchLocal does a step while statements go to local nodes.
func (s *engine) watchLocal(ctx context.Context, now time.Time) {
	f := &s.failover
	switch {
	case f.local.answers(ctx):
		f.since, f.answered = time.Time{}, now
		s.learnNodes(ctx, now)
		s.confirm(ctx, now)
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) >= s.cfg.FailoverAfter:
		s.goElsewhere(ctx)
	}
}

// watchOther does a step while statements go through another datacenter.
func (s *engine) watchOther(ctx context.Context, now time.Time) {
	f := &s.failover
	if f.local == nil {
		if local, err := s.open(ctx, s.cfg.Datacenter); err == nil {
			f.local = local
		}
	}
	if !s.isKept() { // it was removed too early
		_ = s.keep(f.absence)
	}
	s.watchReturn(f.local != nil && f.local.serves(ctx, s.cfg.Keyspace), now)
}

// watchReturn goes back to the local nodes step by step, as long as they serve.
func (s *engine) watchReturn(serves bool, now time.Time) {
	f := &s.failover
	switch {
	case !serves:
		f.since = time.Time{}
		s.setConfirming(false)
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) < backFactor*s.cfg.FailoverAfter:
	case !f.confirming.Load():
		f.confirmed = now
		s.setConfirming(true)
	case now.Sub(f.confirmed) >= s.cfg.QueueTime+time.Second: // reads that are not confirmed have begun
		s.comeBack(now)
	}
}

// goElsewhere goes on through the first other datacenter that serves.
func (s *engine) goElsewhere(ctx context.Context) {
	f := &s.failover
	for _, datacenter := range s.cfg.Failover {
		if f.other == nil || f.other.datacenter != datacenter {
			other, err := s.open(ctx, datacenter)
			if err != nil {
				s.complain("cannot go on through another datacenter", "datacenter", datacenter, "cause", err)
				continue
			}
			if f.other != nil {
				endSession(f.other.session)
			}
			f.other = other
		}
		if !f.other.serves(ctx, s.cfg.Keyspace) {
			continue
		}
		if err := s.depart(f.other, f.answered); err != nil {
			s.complain("cannot go on through another datacenter", "datacenter", datacenter, "cause", err)
		}
		return
	}
}

// depart makes statements go through another datacenter: the local nodes answered for the last
// time at a moment, which may be zero. If that cannot be kept on the disk statements stay where
// they are: a server that was restarted then would take what the local nodes lack for removed.
func (s *engine) depart(other *route, left time.Time) error {
	f := &s.failover
	longer := f.absence.again(left)
	if err := s.keep(longer); err != nil {
		return err
	}
	f.absence, f.kept, f.since, f.quiet = longer, true, time.Time{}, time.Time{}
	s.switchTo(other, "no node of the local datacenter can be reached: going on through another")
	return nil
}

// comeBack makes statements go to local nodes again.
func (s *engine) comeBack(now time.Time) {
	f := &s.failover
	f.absence, f.since, f.quiet, f.answered = f.absence.returned(now), time.Time{}, time.Time{}, now
	err := s.keep(f.absence)
	if f.kept = err == nil; !f.kept {
		s.complain("a restart would take the local nodes for away until then", "cause", err)
	}
	s.switchTo(f.local, "the nodes of the local datacenter are back: reads are confirmed with the others until they know what they missed")
}

// switchTo makes statements go another way from now on.
func (s *engine) switchTo(r *route, why string) {
	s.route.Store(r)
	s.places.InvalidateAll() // what was read there may not have arrived here
	s.metrics.failover.Set(0)
	if r.datacenter != s.cfg.Datacenter {
		s.metrics.failover.Set(1)
		s.setConfirming(false) // a quorum of the local datacenter cannot be had
	}
	s.cfg.Logger.Warn(why, "datacenter", r.datacenter)
}

// setConfirming says whether reads at the level Local ask for a quorum of each datacenter.
func (s *engine) setConfirming(confirming bool) {
	s.failover.confirming.Store(confirming)
	s.metrics.confirming.Set(0)
	if confirming {
		s.metrics.confirming.Set(1)
	}
}

// learnNodes notes where the nodes of all datacenters are, as a local one knows, and that it
// answered.
func (s *engine) learnNodes(ctx context.Context, now time.Time) {
	if s.route.Load() != s.failover.local || now.Sub(s.failover.learnt) < learnEvery {
		return
	}
	s.failover.learnt = now
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	rows := s.failover.local.session.Query(selectPeerAddresses).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).IterContext(ctx)
	nodes := map[string][]string{}
	var datacenter, address string
	var port int
	for rows.Scan(&datacenter, &address, &port) {
		nodes[datacenter] = append(nodes[datacenter], hostPort(address, port))
	}
	if rows.Close() == nil && len(nodes) > 0 {
		s.known.set(nodes, now)
		s.keepNodes()
	}
}

// complainEvery is how often a complaint that stays the same is repeated.
const complainEvery = 5 * time.Minute

// complain warns of something, at once and then every complainEvery.
func (s *engine) complain(what string, args ...any) {
	c := &s.failover.complaints
	c.every = complainEvery
	if _, ok := c.allow(what); ok {
		s.cfg.Logger.Warn(what, args...)
	}
}
