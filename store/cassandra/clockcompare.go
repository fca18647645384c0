package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/store"
)

const (
	// staleLooks is the count of failed looks at the clock after which ids wait for a comparison.
	staleLooks = 10
	// lookTolerance is the difference between a node's clock and the last comparison beyond which
	// all clocks are compared again.
	lookTolerance = 5 * time.Second
	// compareAgain is the pause after a failed comparison before a waiting caller tries another.
	compareAgain = time.Second
	// maxAsked is the highest count of nodes asked for their clocks in a comparison.
	maxAsked = 5
)

// Clock states for the log.
const (
	clockRight   = "right"
	clockDiffers = "differs"
	clockWrong   = "wrong"
)

// state returns the clock state after a comparison.
func (w *clockWatch) state() string {
	switch {
	case w.Clock() != nil:
		return clockWrong
	case w.last.Load().ahead.Abs() > store.ClockWarning:
		return clockDiffers
	}
	return clockRight
}

// look asks one node for its clock. If the answer differs from the last comparison, or the clock was
// wrong, look compares all clocks. A failed look changes nothing; heartbeats report failures.
func (w *clockWatch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	if w.turn.LockUntil(ctx) != nil {
		return
	}
	defer w.turn.Unlock()
	last := w.last.Load()
	if last == nil || w.Clock() != nil {
		_ = w.compareHolding(ctx)
		return
	}
	for _, ahead := range w.nodeClocks(ctx, 1) {
		now := &clockReading{wall: w.wall(), at: time.Now()}
		if now.ahead = last.aheadAt(now.wall); (ahead - now.ahead).Abs() > lookTolerance {
			_ = w.compareHolding(ctx)
			return
		}
		w.believe(now)
	}
}

// CompareClock implements store.Clocks. While looks succeed it asks no node.
func (w *clockWatch) CompareClock(ctx context.Context) error {
	if !w.isStale() {
		return w.Clock()
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	if err := w.turn.LockUntil(ctx); err != nil {
		return fmt.Errorf("cassandra: %w: %w", store.ErrClock, err)
	}
	defer w.turn.Unlock()
	if !w.isStale() {
		return w.Clock()
	}
	err := errors.New("a comparison failed just now")
	if time.Since(w.failed) >= compareAgain {
		if err = w.compareHolding(ctx); err != nil {
			w.failed = time.Now()
		}
	}
	if w.isStale() {
		return fmt.Errorf("cassandra: %w: it could not be compared with the cluster's: %w", store.ErrClock, err)
	}
	return w.Clock()
}

// isStale reports whether the last comparison is too old.
func (w *clockWatch) isStale() bool {
	last := w.last.Load()
	return last == nil || time.Since(last.at) > staleLooks*w.cfg.ClockEvery
}

// compareNow compares the clock, with each heartbeat.
func (w *clockWatch) compareNow(ctx context.Context) error {
	if err := w.turn.LockUntil(ctx); err != nil {
		return fmt.Errorf("cassandra: compare the clock: %w", err)
	}
	defer w.turn.Unlock()
	return w.compareHolding(ctx)
}

// comparisons is the number of comparisons in a row, if the clock is set during each of them.
const comparisons = 3

// compareHolding compares the clock, and logs a change of its state. A clock that is set during the questions is
// compared again. The caller holds the turn.
func (w *clockWatch) compareHolding(ctx context.Context) error {
	for range comparisons {
		began := clockReading{wall: w.wall(), at: time.Now()}
		if !w.mark.known || micros(w.wall()) < w.mark.high.Load() { // an operator may have lowered the row
			if err := w.readMark(ctx); err != nil {
				return err
			}
		}
		ahead, ok := judgeClock(w.nodeClocks(ctx, maxAsked), w.peers.clocks(w.wall))
		if !ok {
			return errors.New("cassandra: no node told its clock")
		}
		if began.aheadAt(w.wall()).Abs() > lookTolerance {
			continue
		}
		began.ahead = ahead
		w.believe(&began)
		w.say(ahead)
		return nil
	}
	return errors.New("cassandra: the clock was set during the comparison")
}

// readMark reads the watermark. While too few of its replicas answer, a watermark that was read before counts. A server
// that starts meanwhile takes the watermarks of the other servers for its own: they are newer than a clock that is behind.
// Otherwise the server could take no mail for as long, though nearly all mailboxes can be written.
func (w *clockWatch) readMark(ctx context.Context) error {
	err := w.mark.read(ctx)
	if !partLost(ctx, err) {
		w.unmarked = false
		return err
	}
	if w.mark.known {
		return nil
	}
	if !w.mark.othersAgree(ctx, w.wall()) {
		return err
	}
	if !w.unmarked {
		w.unmarked = true
		w.cfg.Logger.Warn("the time of the newest message id of this server cannot be read: the times of the other servers show that the clock is not behind", "cause", err)
	}
	return nil
}

// nodeClocks returns how far the clock is ahead of the clocks of some local nodes, most of them at
// most. It works outside the limit: clocks are compared also while too many statements are in flight.
func (w *clockWatch) nodeClocks(ctx context.Context, most int) (ahead []time.Duration) {
	w.run.whileOpen(func() { ahead = w.link.current.Load().clocks(ctx, most, w.wall) })
	return ahead
}

// say logs the clock state unless it was logged last.
func (w *clockWatch) say(ahead time.Duration) {
	w.metrics.skew.Set(ahead.Seconds())
	before, now := w.said, w.state()
	w.said = now
	w.metrics.trusted.Set(1)
	if now == clockWrong {
		w.metrics.trusted.Set(0)
	}
	if now == before {
		return
	}
	switch logger := w.cfg.Logger.With("skew", ahead); now {
	case clockWrong:
		if ahead.Abs() <= store.MaxClockSkew {
			logger = logger.With("if_it_is_right", "popelago clock trust")
		}
		logger.Error("the clock is wrong: no mail is taken, and no mail expires, until it is right", "cause", w.Clock())
	case clockDiffers:
		logger.Warn("the clock differs from the cluster's")
	case clockRight:
		if before != "" {
			logger.Info("the clock is right")
		}
	}
}

// raiseWatermark records the time of the newest id. The clock is trusted.
func (w *clockWatch) raiseWatermark(ctx context.Context) error {
	if err := w.turn.LockUntil(ctx); err != nil {
		return err
	}
	defer w.turn.Unlock()
	return w.mark.raise(ctx, micros(w.wall()))
}

// TrustClock implements store.ClockKeeper: it lowers the watermark to now.
func (w *clockWatch) TrustClock(ctx context.Context) error {
	if err := w.turn.LockUntil(ctx); err != nil {
		return err
	}
	defer w.turn.Unlock()
	to, err := w.mark.lower(ctx, w.wall)
	if err != nil {
		return err
	}
	if !to.IsZero() {
		w.cfg.Logger.Info("an operator says that the clock is right", "now", to.Truncate(time.Second))
	}
	if err := w.compareHolding(ctx); err != nil {
		return err
	}
	return w.Clock()
}
