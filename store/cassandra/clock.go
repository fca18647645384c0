package cassandra

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// watch is what is known about our clock.
//
// Message ids are made of it, and tell what is old enough to be taken away. So it is compared
// with those of the nodes and of the other servers, at every heartbeat, and with the highest
// time that this server ever made an id at, which is kept when it is not running: that tells
// when all clocks are wrong at once, as after a power cut. Between heartbeats a node is looked at
// every Config.ClockEvery (clocklook.go): the clock of a machine that was suspended stands still,
// and so does all else that the machine could measure time by.
type watch struct {
	last   atomic.Pointer[reading] // nil: not compared yet
	issued atomic.Int64            // time of the highest id seen, microseconds

	high atomic.Int64 // what the table watermark says; math.MinInt64: nothing

	// turn is held by whoever compares, or changes what follows.
	turn    chan struct{}
	known   bool      // high was read
	written int64     // timestamp of the row of high
	said    string    // the clockState that was logged last
	failed  time.Time // when a comparison failed that somebody waited for
}

// reading is the result of a comparison.
type reading struct {
	ahead time.Duration // of the others
	wall  time.Time     // our clock then
	at    time.Time     // the same moment, as it passes whatever the clock says
}

// wall is the time of day, without what Go knows of the time that passed.
func (s *engine) wall() time.Time { return s.now().Round(0) }

// Clock implements store.Clocks. Between two comparisons it notices that the clock was set, or
// that the machine stood still.
func (s *engine) Clock() error {
	last := s.watch.last.Load()
	if last == nil {
		return fmt.Errorf("cassandra: %w: it was not compared with the cluster's yet", store.ErrClock)
	}
	now := s.wall()
	ahead := last.aheadAt(now)
	if ahead.Abs() > store.MaxClockSkew {
		return fmt.Errorf("cassandra: %w: it is %s", store.ErrClock, describeSkew(ahead, "the cluster's"))
	}
	if behind := time.UnixMicro(s.watch.high.Load()).Sub(now); behind > store.MaxClockSkew {
		return fmt.Errorf("cassandra: %w: it is %s", store.ErrClock, describeSkew(-behind, "the newest message id that this server made"))
	}
	return nil
}

// ClockState implements store.ClockKeeper.
func (s *engine) ClockState() store.ClockState {
	state := store.ClockState{Now: s.wall(), Err: s.Clock()}
	if last := s.watch.last.Load(); last != nil {
		state.Ahead = last.aheadAt(state.Now)
	}
	if high := s.watch.high.Load(); high > 0 {
		state.High = time.UnixMicro(high)
	}
	return state
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

// moment is the time of day to note a removal with. Removals go on while the clock cannot be
// trusted: then it is by the clocks of the others.
func (s *engine) moment() time.Time {
	now := s.now()
	if s.Clock() != nil {
		if others, err := s.latest(); err == nil {
			return others
		}
	}
	return now
}

// changeTime is the timestamp for a change of the directory. Errors: store.ErrClock: a change by a
// clock that is ahead would win over all later ones.
func (s *engine) changeTime(ctx context.Context, what string) (int64, error) {
	now := micros(s.now())
	if err := s.CompareClock(ctx); err != nil {
		return 0, fmt.Errorf("cassandra: %s: %w", what, err)
	}
	return now, nil
}

func describeSkew(ahead time.Duration, what string) string {
	if ahead < 0 {
		return fmt.Sprintf("%v behind %s", (-ahead).Round(time.Millisecond), what)
	}
	return fmt.Sprintf("%v ahead of %s", ahead.Round(time.Millisecond), what)
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
	case s.watch.last.Load().ahead.Abs() > store.ClockWarning:
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

// nodeClocks is how far our clock is ahead of those of some nodes of our datacenter, most at most.
// It does not wait for other statements to end: a clock is looked at also while there are too many.
func (s *engine) nodeClocks(ctx context.Context, most int) []time.Duration {
	s.life.RLock()
	defer s.life.RUnlock()
	if s.closed {
		return nil
	}
	var hosts []*gocql.HostInfo
	for _, h := range s.route.Load().nodes() {
		if h.IsUp() {
			hosts = append(hosts, h)
		}
	}
	rand.Shuffle(len(hosts), func(i, j int) { hosts[i], hosts[j] = hosts[j], hosts[i] })
	var mu sync.Mutex
	var list []time.Duration
	inParallel(min(len(hosts), most), func(i int) {
		asked, began := s.wall(), time.Now()
		var millis int64
		err := s.session().Query(selectClock).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).
			SetHostID(hosts[i].HostID()).ScanContext(ctx, &millis)
		took := time.Since(began)
		if err != nil || took > store.ClockWarning {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, asked.Add(took/2).Sub(time.UnixMilli(millis)))
	})
	return list
}
