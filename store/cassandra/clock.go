package cassandra

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"popelago/store"
)

// clockWatch judges the clock of this machine. Message ids are made of the clock, and their age decides
// which rows background work may remove.
//
// At every heartbeat clockWatch compares the clock with the clocks of nodes and of other servers, and
// with the watermark. In between it asks one node every Config.ClockEvery (clockcompare.go): on a
// suspended machine the clock stands still, and so does every timer of the machine. Safe for
// concurrent use.
type clockWatch struct {
	cfg     Config
	run     *runner
	link    *link
	peers   *peerServers
	metrics *metrics
	mark    *watermark

	last    atomic.Pointer[clockReading] // nil: never compared
	trusted atomic.Pointer[clockReading] // the last comparison that trusted the clock; nil: none

	// turn is held while the clock is compared. It guards the fields below and the watermark.
	turn   store.Turn
	said   string    // the clock state logged last
	failed time.Time // when a comparison failed that a caller waited for
	// unmarked is set while the watermarks of the other servers stand in for that of this server, see readMark.
	unmarked bool

	cancel context.CancelFunc
	ended  chan struct{}
}

func newClockWatch(cfg Config, run *runner, l *link, peers *peerServers, m *metrics) *clockWatch {
	return &clockWatch{
		cfg: cfg, run: run, link: l, peers: peers, metrics: m, mark: newWatermark(run, cfg.Server),
		turn: store.NewTurn(),
	}
}

// start begins to ask nodes for their clocks.
func (w *clockWatch) start() {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.ended = cancel, make(chan struct{})
	go func() {
		defer close(w.ended)
		again := time.NewTicker(w.cfg.ClockEvery)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				w.look(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
}

func (w *clockWatch) stop() {
	w.cancel()
	<-w.ended
}

// clockReading is the result of a comparison.
type clockReading struct {
	ahead time.Duration // how far the clock is ahead of the others
	wall  time.Time     // the clock at the comparison
	at    time.Time     // the same moment with the monotonic clock
}

// aheadAt returns how far the clock is ahead of the others when it says now.
func (r *clockReading) aheadAt(now time.Time) time.Duration {
	return r.ahead + now.Sub(r.wall) - time.Since(r.at)
}

// wall returns the time of day without the monotonic clock.
func (w *clockWatch) wall() time.Time { return w.cfg.Now().Round(0) }

// Clock implements store.Clocks. Between two comparisons it notices that the clock was set, or
// that the machine was suspended.
func (w *clockWatch) Clock() error {
	last := w.last.Load()
	if last == nil {
		return fmt.Errorf("cassandra: %w: it was not compared with the cluster's yet", store.ErrClock)
	}
	now := w.wall()
	ahead := last.aheadAt(now)
	if ahead.Abs() > store.MaxClockSkew {
		return fmt.Errorf("cassandra: %w: it is %s", store.ErrClock, describeSkew(ahead, "the cluster's"))
	}
	if behind := time.UnixMicro(w.mark.high.Load()).Sub(now); behind > store.MaxClockSkew {
		return fmt.Errorf("cassandra: %w: it is %s", store.ErrClock, describeSkew(-behind, "the newest message id that this server made"))
	}
	return nil
}

// ClockState implements store.ClockKeeper.
func (w *clockWatch) ClockState() store.ClockState {
	state := store.ClockState{Now: w.wall(), Err: w.Clock()}
	if last := w.last.Load(); last != nil {
		state.Ahead = last.aheadAt(state.Now)
	}
	if high := w.mark.high.Load(); high > 0 {
		state.High = time.UnixMicro(high)
	}
	return state
}

// latest returns the time of day by the clocks of the others, but at least the watermark. It is right
// also while the own clock is not trusted. Errors: store.ErrClock.
func (w *clockWatch) latest() (time.Time, error) {
	last := w.last.Load()
	if last == nil {
		return time.Time{}, w.Clock()
	}
	now := w.wall()
	others := now.Add(-last.aheadAt(now))
	if made := time.UnixMicro(w.mark.high.Load()); made.After(others) {
		return made, nil
	}
	return others, nil
}

// lateTrash is how far in the past the trash of a removal may be: the search of SweepOrphans still finds the
// trash, see lateHours. A clock further ahead than lateTrash needs a second witness.
const lateTrash = lateHours * time.Hour

// removalTime is the time of a removal.
type removalTime struct {
	at time.Time
	// first and last are the times whose trash the removal belongs to. They differ while two clocks disagree, and
	// either may be right.
	first, last time.Time
}

// removalTime returns the time of a removal. newest is the time of the newest message removed. Removals go on
// while the clock is not trusted. Then the clocks of the others count, but a single node may be the only other
// clock, and wrong itself:
//
//   - The own time is the clock when it was trusted last, and the time passed since; in a process that never
//     trusted its clock the clock itself.
//   - The others are not believed if they are ahead of the own time by more than lateTrash: space would
//     come back when that time has come. A machine that slept for so long is believed to be behind if it
//     removes a message, or has made an id, that is newer than its own time.
//   - The others are not believed if they are behind a time that was trusted.
//   - Otherwise the later time is the time of the removal, and its trash belongs to both times. If the later time
//     is wrong, the trash of the earlier time names the removal until the later time has come: without that trash
//     the search for orphans would remove the content.
func (w *clockWatch) removalTime(newest time.Time) removalTime {
	now := w.cfg.Now()
	others, err := w.latest()
	if err != nil {
		return removalTime{now, now, now}
	}
	if w.Clock() == nil {
		at := later(now, others)
		return removalTime{now, at, at}
	}
	passed := later(newest, time.UnixMicro(w.mark.high.Load()))
	own, trusted := w.ownTime()
	ahead := others.Sub(own)
	switch {
	case passed.Sub(own) > store.MaxClockSkew:
		own = later(passed, others.Add(-lateTrash))
		if own.After(others) {
			own = others
		}
		return removalTime{others, own, others}
	case ahead > lateTrash, trusted && ahead < 0:
		others = own
	case ahead < -lateTrash:
		own = others
	case ahead < 0:
		own, others = others, own
	}
	return removalTime{others, own, others}
}

// ownTime returns the clock when it was trusted last, and the time passed since. trusted is not set in a
// process that never trusted its clock: then ownTime returns the clock.
func (w *clockWatch) ownTime() (own time.Time, trusted bool) {
	if t := w.trusted.Load(); t != nil {
		return t.wall.Add(time.Since(t.at)), true
	}
	return w.wall(), false
}

// farAhead is the greatest distance by which endOfTime believes an own clock that was never trusted.
const farAhead = 366 * 24 * time.Hour

// endOfTime returns a moment that is not before the newest message. While the clock is not trusted it is the
// latest that any clock says: the others may be behind, and a list that ends too early would hide messages.
// Errors: store.ErrClock.
func (w *clockWatch) endOfTime() (time.Time, error) {
	others, err := w.latest()
	if err != nil || w.Clock() == nil {
		return others, err
	}
	own, trusted := w.ownTime()
	if end := others.Add(farAhead); !trusted && own.After(end) {
		own = end
	}
	return later(own, others), nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// believe notes the clock as trusted, if it is. The comparison r was made just now.
func (w *clockWatch) believe(r *clockReading) {
	w.last.Store(r)
	if w.Clock() == nil {
		w.trusted.Store(r)
	}
}

// changeTime returns the timestamp for a change of the directory. Errors: store.ErrClock. A change by a
// clock that is ahead would win over all later changes.
func (w *clockWatch) changeTime(ctx context.Context, what string) (int64, error) {
	now := micros(w.cfg.Now())
	if err := w.CompareClock(ctx); err != nil {
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

// judgeClock returns how far the own clock is ahead: the median of its distances to the clocks of
// nodes and servers. Of two values in the middle judgeClock takes the one closer to a node.
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
