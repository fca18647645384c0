package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"popelago/store"
)

// clockWatch is what the engine knows about the clock of this machine. There is no other clock to
// compare with, so it is judged by two things:
//
//	high    the latest time that is known to have passed, kept in the folder (clockhigh.go). A
//	        clock that is behind it is wrong. So is one that is ahead of it by more than
//	        Config.MaxStop when the server starts: nobody can tell that from a long stop.
//	course  the time that has passed since the clock was trusted. A clock that says otherwise
//	        was set while the server ran. The course gives way by 2 minutes a day: many a clock
//	        is put right a little each night, and months of that are no fault.
//
// What a wrong clock was trusted with cannot be told either: then TrustClock lowers high.
type clockWatch struct {
	high   atomic.Pointer[time.Time] // nil: not read yet
	course atomic.Pointer[course]    // nil: the clock was not trusted since the start
	// opened is the moment of Open, as time passes whatever the clock says.
	opened instant

	mu sync.Mutex // for those who change anything
	// moved is the course of a clock that was set soon after a start, until it is steady.
	moved *course
	said  string // the state that was logged last
	// gaveWay is when the course last gave way; zero: not yet.
	gaveWay instant
}

// course is how time passes from a moment on.
type course struct {
	wall time.Time // the clock at that moment
	at   instant   // the same moment, as time passes whatever the clock says
	// sure: high rises although the clock is young, because an operator said so.
	sure bool
}

// now is the time of day, without what Go knows of the time that passed.
func (s *Store) now() time.Time { return s.cfg.Now().Round(0) }

// ahead is how far a clock that says now is ahead of the course.
func (c *course) ahead(now time.Time) time.Duration {
	return c.at.shorter(func(passed time.Duration) time.Duration { return now.Sub(c.wall.Add(passed)) })
}

// Clock implements store.Clocks.
func (s *Store) Clock() error {
	now := s.now()
	w := &s.clock
	high := w.high.Load()
	if high == nil {
		return fmt.Errorf("embedded: %w: when this server last ran is not known yet", store.ErrClock)
	}
	if c := w.course.Load(); c != nil {
		if ahead := c.ahead(now); ahead.Abs() > store.MaxClockSkew {
			return fmt.Errorf("embedded: %w: it was set %s while the server ran", store.ErrClock, describeJump(ahead))
		}
	}
	if behind := high.Sub(now); behind > store.MaxClockSkew {
		return fmt.Errorf("embedded: %w: it is %s what it was before", store.ErrClock, describe(-behind))
	}
	if w.course.Load() != nil {
		return nil
	}
	if ahead := now.Sub(*high); s.cfg.MaxStop > 0 && ahead > s.cfg.MaxStop {
		return fmt.Errorf("embedded: %w: it is %s when this server last ran, more than a stop may last (%v)", store.ErrClock, describe(ahead), s.cfg.MaxStop)
	}
	w.course.CompareAndSwap(nil, &course{wall: now, at: thisInstant()})
	return nil
}

// describe is like "3h0m0s behind".
func describe(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).Round(time.Second).String() + " behind"
	}
	return ahead.Round(time.Second).String() + " ahead of"
}

// describeJump is like "back by 3h0m0s".
func describeJump(ahead time.Duration) string {
	if ahead < 0 {
		return "back by " + (-ahead).Round(time.Second).String()
	}
	return "ahead by " + ahead.Round(time.Second).String()
}

// CompareClock implements store.Clocks: there is no other clock to compare with.
func (s *Store) CompareClock(context.Context) error { return s.Clock() }

// ClockState implements store.ClockKeeper.
func (s *Store) ClockState() store.ClockState {
	state := store.ClockState{Now: s.now(), Err: s.Clock()}
	if high := s.clock.high.Load(); high != nil {
		state.High = *high
	}
	if c := s.clock.course.Load(); c != nil {
		state.Ahead = c.ahead(state.Now)
	}
	return state
}

// mayChange returns an error while the directory must not be changed, see store.Clocks.
func (s *Store) mayChange(what string) error { return translate(s.Clock(), what) }

// MayReclaim implements store.Background.
func (s *Store) MayReclaim() error { return s.Clock() }

// moment is the time of day to note a removal with. While the clock cannot be trusted that is what
// has passed since it could, or else since the start: removals go on, and what they leave is
// neither cleared up too early nor kept for years.
func (s *Store) moment() time.Time {
	now, w := s.now(), &s.clock
	if s.Clock() == nil {
		return now
	}
	if c := w.course.Load(); c != nil {
		return now.Add(-c.ahead(now))
	}
	if high := w.high.Load(); high != nil {
		return high.Add(w.opened.passed())
	}
	return now
}
