package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/store"
)

const (
	// staleLooks is how many looks at the clock may fail until ids wait for a comparison.
	staleLooks = 10
	// lookTolerance is how far one node's clock may differ from what the last comparison said
	// before all are compared again.
	lookTolerance = 5 * time.Second
	// compareAgain is how long nobody who waits for a comparison tries another one after one failed.
	compareAgain = time.Second
)

// keepLooking looks at the clock until ctx ends.
func (s *engine) keepLooking(ctx context.Context) {
	again := time.NewTicker(s.cfg.ClockEvery)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			s.lookAtClock(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// lookAtClock asks one node whether our clock is still what the last comparison said. If it is
// not, or was wrong, all are compared. A look that fails says nothing: heartbeats do.
func (s *engine) lookAtClock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if s.watch.take(ctx) != nil {
		return
	}
	defer s.watch.give()
	last := s.watch.last.Load()
	if last == nil || s.Clock() != nil {
		_ = s.compareHolding(ctx)
		return
	}
	for _, ahead := range s.nodeClocks(ctx, 1) {
		now := &reading{wall: s.wall(), at: time.Now()}
		if now.ahead = last.aheadAt(now.wall); (ahead - now.ahead).Abs() > lookTolerance {
			_ = s.compareHolding(ctx)
			return
		}
		s.watch.last.Store(now)
	}
}

// CompareClock implements store.Clocks. While looks succeed it asks nobody.
func (s *engine) CompareClock(ctx context.Context) error {
	w := &s.watch
	if !s.isStale() {
		return s.Clock()
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if err := w.take(ctx); err != nil {
		return fmt.Errorf("cassandra: %w: %w", store.ErrClock, err)
	}
	defer w.give()
	if !s.isStale() {
		return s.Clock()
	}
	err := errors.New("a comparison failed just now")
	if time.Since(w.failed) >= compareAgain {
		if err = s.compareHolding(ctx); err != nil {
			w.failed = time.Now()
		}
	}
	if s.isStale() {
		return fmt.Errorf("cassandra: %w: it could not be compared with the cluster's: %w", store.ErrClock, err)
	}
	return s.Clock()
}

// isStale reports whether the clock was not compared lately.
func (s *engine) isStale() bool {
	last := s.watch.last.Load()
	return last == nil || time.Since(last.at) > staleLooks*s.cfg.ClockEvery
}

// take takes the turn to compare; give must follow. Errors: the end of ctx.
func (w *watch) take(ctx context.Context) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *watch) give() { <-w.turn }

// checkClock compares our clock.
func (s *engine) checkClock(ctx context.Context) error {
	if err := s.watch.take(ctx); err != nil {
		return fmt.Errorf("cassandra: compare the clock: %w", err)
	}
	defer s.watch.give()
	return s.compareHolding(ctx)
}

// compareHolding compares our clock, and says so when the result is of another kind than before.
func (s *engine) compareHolding(ctx context.Context) error {
	w := &s.watch
	// The clock may be set while others are asked for theirs: it is judged from this moment on.
	began := reading{wall: s.wall(), at: time.Now()}
	if !w.known || micros(s.wall()) < w.high.Load() { // it may have been lowered
		if err := s.readWatermark(ctx); err != nil {
			return err
		}
		w.known = true
	}
	ahead, ok := judgeClock(s.nodeClocks(ctx, maxAsked), s.peerClocks())
	if !ok {
		return errors.New("cassandra: no node told its clock")
	}
	began.ahead = ahead
	w.last.Store(&began)
	s.sayClock(ahead)
	return nil
}

// sayClock logs the state of the clock unless it is what was logged last.
func (s *engine) sayClock(ahead time.Duration) {
	s.metrics.skew.Set(ahead.Seconds())
	before, now := s.watch.said, s.clockState()
	s.watch.said = now
	s.metrics.trusted.Set(1)
	if now == clockWrong {
		s.metrics.trusted.Set(0)
	}
	if now == before {
		return
	}
	switch logger := s.cfg.Logger.With("skew", ahead); now {
	case clockWrong:
		if ahead.Abs() <= store.MaxClockSkew {
			logger = logger.With("if_it_is_right", "popelago clock trust")
		}
		logger.Error("the clock is wrong: no mail is taken, and no mail expires, until it is right", "cause", s.Clock())
	case clockDiffers:
		logger.Warn("the clock differs from the cluster's")
	case clockRight:
		if before != "" {
			logger.Info("the clock is right")
		}
	}
}
