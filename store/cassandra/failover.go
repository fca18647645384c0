package cassandra

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// probeTime is how long a node has to answer whether it is there.
const probeTime = 2 * time.Second

// learnEvery is how often it is asked where the nodes of the other datacenters are.
const learnEvery = time.Minute

// backFactor is how many times Config.FailoverAfter the local nodes have to be there again before
// the server returns to them, and without hints for them before reads of theirs are believed.
const backFactor = 3

// failover leads statements through another datacenter while no local node can be reached, and
// back.
//
//	local --no node answers for FailoverAfter--> another
//	another --a quorum answers for 3 x FailoverAfter--> local, reads confirmed with the other
//	confirmed --no hints left, see confirm.go--> local
type failover struct {
	cancel context.CancelFunc
	ended  chan struct{}

	// Used by start, and then by the goroutine that watches.
	local, other *route        // nil: not open
	since        time.Time     // when the present run of probes with one result began
	away         time.Time     // when the local datacenter was left
	outage       time.Duration // how long it was left for, the last time
	learnt       time.Time     // when the nodes of the others were last asked for
	quiet        time.Time     // since when there are no hints; zero: there are
	kept         bool          // the file that keeps confirming over restarts was written

	confirming atomic.Bool // reads are confirmed with the other datacenter
}

// known is where the nodes of other datacenters were last seen: when the local ones are gone
// there is nobody to ask.
type known struct {
	mu    sync.Mutex
	nodes map[string][]string // addresses by datacenter
}

func (k *known) set(nodes map[string][]string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nodes = nodes
}

// of is the contact points for a datacenter: its nodes, and what is configured.
func (k *known) of(datacenter string, configured []string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append(append([]string{}, k.nodes[datacenter]...), configured...)
}

// startFailover begins to watch. Without other datacenters to go to there is nothing to watch.
func (s *engine) startFailover(ctx context.Context) {
	f := &s.failover
	f.ended = make(chan struct{})
	watching, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	if len(s.cfg.Failover) == 0 {
		close(f.ended)
		return
	}
	s.learnNodes(ctx)
	s.resumeConfirming()
	every := min(max(s.cfg.FailoverAfter/5, 200*time.Millisecond), probeTime)
	go func() {
		defer close(f.ended)
		again := time.NewTicker(every)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				s.watchRoutes(watching)
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
	for _, r := range []*route{s.failover.local, s.failover.other} {
		if r != nil {
			endSession(r.session)
		}
	}
}

// watchRoutes does one step.
func (s *engine) watchRoutes(ctx context.Context) {
	f := &s.failover
	now := time.Now()
	if s.route.Load() == f.local {
		switch {
		case f.local.answers(ctx):
			f.since = time.Time{}
			s.learnNodes(ctx)
			s.confirm(ctx, now)
		case f.since.IsZero():
			f.since = now
		case now.Sub(f.since) >= s.cfg.FailoverAfter:
			s.goElsewhere(ctx, now)
		}
		return
	}
	if f.local == nil {
		if local, err := s.open(ctx, s.cfg.Datacenter); err == nil {
			f.local = local
		}
	}
	switch {
	case f.local == nil || !f.local.serves(ctx, s.cfg.Keyspace):
		f.since = time.Time{}
	case f.since.IsZero():
		f.since = now
	case now.Sub(f.since) >= backFactor*s.cfg.FailoverAfter:
		f.since = time.Time{}
		s.beginConfirming(now)
		s.switchTo(f.local, "the nodes of the local datacenter are back: reads are confirmed with the other one until they know what they missed")
	}
}

// goElsewhere goes on through the first other datacenter that serves.
func (s *engine) goElsewhere(ctx context.Context, now time.Time) {
	f := &s.failover
	for _, datacenter := range s.cfg.Failover {
		if f.other == nil || f.other.datacenter != datacenter {
			other, err := s.open(ctx, datacenter)
			if err != nil {
				s.cfg.Logger.Warn("cannot go on through another datacenter", "datacenter", datacenter, "cause", err)
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
		f.since, f.away = time.Time{}, now
		s.switchTo(f.other, "no node of the local datacenter can be reached: going on through another")
		return
	}
}

// switchTo makes statements go another way from now on.
func (s *engine) switchTo(r *route, why string) {
	s.route.Store(r)
	s.places.InvalidateAll() // what was read there may not have arrived here
	s.metrics.failover.Set(0)
	if r.datacenter != s.cfg.Datacenter {
		s.metrics.failover.Set(1)
	}
	s.cfg.Logger.Warn(why, "datacenter", r.datacenter)
}

// learnNodes notes where the nodes of all datacenters are, as a local one knows.
func (s *engine) learnNodes(ctx context.Context) {
	if s.route.Load() != s.failover.local || time.Since(s.failover.learnt) < learnEvery {
		return
	}
	s.failover.learnt = time.Now()
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
		s.known.set(nodes)
	}
}
