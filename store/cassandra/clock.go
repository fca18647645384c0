package cassandra

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// How far clocks may differ. The in-flight window rests on them.
const (
	clockWarning = 30 * time.Second
	clockSkew    = 5 * time.Minute // beyond it the clock cannot be trusted
)

// watch is what is known about our clock.
//
// Message ids are made of it, and tell what is old enough to be taken away. So it is compared
// with those of the nodes and of the other servers, at every heartbeat, and with the highest
// time that this server ever made an id at, which is kept when it is not running: that tells
// when all clocks are wrong at once, as after a power cut.
type watch struct {
	last   atomic.Pointer[reading] // nil: not compared yet
	issued atomic.Int64            // time of the highest id seen, microseconds

	high atomic.Int64 // what the table watermark says

	// Used by the goroutine that beats only, and before it starts.
	known bool   // high was read
	said  string // the clockState that was logged last
}

// reading is the result of a comparison.
type reading struct {
	ahead time.Duration // of the others
	wall  time.Time     // our clock then
	at    time.Time     // the same moment, as it passes whatever the clock says
}

// wall is the time of day, without what Go knows of the time that passed.
func (s *engine) wall() time.Time { return s.now().Round(0) }

// Clock implements store.Store. Between two comparisons it notices that the clock was set, or
// that the machine stood still.
func (s *engine) Clock() error {
	last := s.watch.last.Load()
	if last == nil {
		return fmt.Errorf("cassandra: %w: it was not compared with the cluster's yet", store.ErrClock)
	}
	now := s.wall()
	ahead := last.aheadAt(now)
	if ahead.Abs() > clockSkew {
		return fmt.Errorf("cassandra: %w: it is %s", store.ErrClock, describeSkew(ahead, "the cluster's"))
	}
	if behind := time.UnixMicro(s.watch.high.Load()).Sub(now); behind > clockSkew {
		return fmt.Errorf("cassandra: %w: it is %s", store.ErrClock, describeSkew(-behind, "the newest message id that this server made"))
	}
	return nil
}

// aheadAt is how far our clock is ahead of the others when it says now.
func (r *reading) aheadAt(now time.Time) time.Duration {
	return r.ahead + now.Sub(r.wall) - time.Since(r.at)
}

// latest is the time of day, also while our clock cannot be trusted: by the clocks of the others,
// but not before the newest message id that this server made. Errors: store.ErrClock.
func (s *engine) latest() (time.Time, error) {
	last := s.watch.last.Load()
	if last == nil {
		return time.Time{}, s.Clock()
	}
	now := s.wall()
	others := now.Add(-last.aheadAt(now))
	if made := time.UnixMicro(s.watch.high.Load()); made.After(others) {
		return made, nil
	}
	return others, nil
}

func describeSkew(ahead time.Duration, what string) string {
	if ahead < 0 {
		return fmt.Sprintf("%v behind %s", (-ahead).Round(time.Millisecond), what)
	}
	return fmt.Sprintf("%v ahead of %s", ahead.Round(time.Millisecond), what)
}

// checkClock compares our clock, and says so when the result is of another kind than before.
func (s *engine) checkClock(ctx context.Context) error {
	w := &s.watch
	if !w.known || micros(s.wall()) < w.high.Load() { // it may have been taken away by hand
		if err := s.readWatermark(ctx); err != nil {
			return err
		}
		w.known = true
	}
	ahead, ok := judgeClock(s.nodeClocks(ctx), s.peerClocks())
	if !ok {
		return errors.New("cassandra: no node told its clock")
	}
	w.last.Store(&reading{ahead: ahead, wall: s.wall(), at: time.Now()})
	s.metrics.skew.Set(ahead.Seconds())
	before, now := w.said, s.clockState()
	w.said = now
	if now == before {
		return nil
	}
	switch logger := s.cfg.Logger.With("skew", ahead); now {
	case clockWrong:
		err := s.Clock()
		if ahead.Abs() <= clockSkew {
			logger = logger.With("if_that_id_was_wrong", s.forgetWatermark())
		}
		logger.Error("the clock is wrong: no mail is taken, and no mail expires, until it is right", "cause", err)
	case clockDiffers:
		logger.Warn("the clock differs from the cluster's")
	case clockRight:
		if before != "" {
			logger.Info("the clock is right")
		}
	}
	return nil
}

// What is to be said about the clock.
const (
	clockRight   = "right"
	clockDiffers = "differs"
	clockWrong   = "wrong"
)

// clockState is the state of the clock after a comparison.
func (s *engine) clockState() string {
	switch {
	case s.Clock() != nil:
		return clockWrong
	case s.watch.last.Load().ahead.Abs() > clockWarning:
		return clockDiffers
	}
	return clockRight
}

// judgeClock is how far our clock is ahead, by how far it is ahead of each node's and each other
// server's: the median. Of two in the middle it takes the one that the nodes are nearer to.
func judgeClock(nodes, peers []time.Duration) (ahead time.Duration, ok bool) {
	all := slices.Sorted(slices.Values(slices.Concat(nodes, peers)))
	if len(all) == 0 {
		return 0, false
	}
	low, high := all[(len(all)-1)/2], all[len(all)/2]
	nearest := func(n time.Duration) time.Duration { return min((n - low).Abs(), (n - high).Abs()) }
	if len(nodes) > 0 {
		n := slices.MinFunc(nodes, func(a, b time.Duration) int { return cmp.Compare(nearest(a), nearest(b)) })
		if (n - low).Abs() <= (n - high).Abs() {
			return low, true
		}
	}
	return high, true
}

// peerClocks is how far our clock is ahead of each other server's. A heartbeat tells what was
// then, and we know only since when it is there at the latest: what may be none counts as none.
func (s *engine) peerClocks() []time.Duration {
	b := &s.beating
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []time.Duration
	for _, p := range b.peers {
		if p.clock == nil {
			continue
		}
		most := s.wall().Sub(time.UnixMicro(*p.clock))
		least := most - time.Since(p.since)
		list = append(list, min(max(0, least), most))
	}
	return list
}

// maxAsked is how many nodes are asked for their clock at once.
const maxAsked = 5

// nodeClocks is how far our clock is ahead of those of some nodes of our datacenter.
func (s *engine) nodeClocks(ctx context.Context) []time.Duration {
	if s.enter(ctx, "compare the clock") != nil {
		return nil
	}
	defer s.leave()
	var hosts []*gocql.HostInfo
	for _, h := range s.session().GetHosts() {
		if h.DataCenter() == s.origin() && h.IsUp() {
			hosts = append(hosts, h)
		}
	}
	rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	var mu sync.Mutex
	var list []time.Duration
	inParallel(min(len(hosts), maxAsked), func(i int) {
		asked, began := s.wall(), time.Now()
		var millis int64
		err := s.session().Query(selectClock).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).
			SetHostID(hosts[i].HostID()).ScanContext(ctx, &millis)
		took := time.Since(began)
		if err != nil || took > clockWarning {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, asked.Add(took/2).Sub(time.UnixMilli(millis)))
	})
	return list
}

// readWatermark reads up to when this server made ids.
func (s *engine) readWatermark(ctx context.Context) error {
	var high int64
	found, err := s.readOne(ctx, statement{
		cql: selectWatermark, values: []any{encodeText(s.cfg.Server)}, consistency: gocql.LocalQuorum,
		what: "read the watermark of this server",
	}, &high)
	if err != nil {
		return err
	}
	if !found {
		high = math.MinInt64
	}
	s.watch.high.Store(high)
	return nil
}

// note remembers an id that was written.
func (w *watch) note(id mail.MessageID) {
	at := id.Micros()
	for {
		old := w.issued.Load()
		if at <= old || w.issued.CompareAndSwap(old, at) {
			return
		}
	}
}

// raiseWatermark notes up to when this server has made ids. It is called while the clock can be
// trusted: what was made while it could not counts as made now.
func (s *engine) raiseWatermark(ctx context.Context) error {
	issued := s.watch.issued.Load()
	high := min(issued, micros(s.wall()))
	if issued == 0 || high <= s.watch.high.Load() || !s.watch.known {
		return nil
	}
	err := s.exec(ctx, statement{
		cql: insertWatermark, values: []any{encodeText(s.cfg.Server), high, high},
		consistency: gocql.LocalQuorum, what: "raise the watermark of this server",
	})
	if err == nil {
		s.watch.high.Store(high)
	}
	return err
}

// forgetWatermark is what an operator can execute who knows that the watermark is wrong.
func (s *engine) forgetWatermark() string {
	return deleteWatermark(s.cfg.Keyspace, encodeText(s.cfg.Server), s.watch.high.Load())
}
