package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"popelago/store"
)

// clockWatch judges the clock of this machine. There is no second clock, so two facts judge it:
//
//	high    the latest time known to have passed, kept in the folder (watermark.go). A clock behind
//	        high is wrong. A clock ahead of high by more than Config.MaxStop at the start is wrong
//	        too: it may have been set, or the stop was long.
//	course  the time since the clock was trusted. A clock that departs from its course was set
//	        while the server ran. The course follows the clock by 2 minutes a day: many clocks
//	        are corrected a little each night, and months of corrections are no fault.
//
// A clock that was set ahead, is steady, and agrees with NTP is judged as at a start: a virtual machine was paused.
//
// If a wrong clock was trusted high is wrong too: then TrustClock lowers high. Safe for concurrent use.
type clockWatch struct {
	clock   func() time.Time // Config.Now
	agrees  func() bool      // Config.Synchronized
	maxStop time.Duration    // Config.MaxStop
	settle  time.Duration    // Config.Settle
	logger  *slog.Logger
	closing *closing
	mark    *watermark

	course atomic.Pointer[course] // nil: the clock was not trusted since the start
	// opened is the moment of Open, independent of the clock.
	opened instant

	mu sync.Mutex // held for changes
	// moved is the course of a clock that was set, until the clock is accepted.
	moved *course
	said  string // the state logged last
	// corrected is when the course last followed the clock; zero: not yet.
	corrected instant
}

func newClockWatch(cfg Config, mark *watermark, c *closing) *clockWatch {
	return &clockWatch{
		clock: cfg.Now, agrees: cfg.Synchronized, maxStop: cfg.MaxStop, settle: cfg.Settle, logger: cfg.Logger, closing: c, mark: mark,
	}
}

// course holds the passing of time from a moment on.
type course struct {
	wall time.Time // the clock at that moment
	at   instant   // the same moment, independent of the clock
	// sure is set after TrustClock: high rises although the course is young.
	sure bool
}

// now returns the time of day without the monotonic clock.
func (w *clockWatch) now() time.Time { return w.clock().Round(0) }

// ahead returns the lead of the clock over the course when the clock says now.
func (c *course) ahead(now time.Time) time.Duration {
	return c.at.shorter(func(passed time.Duration) time.Duration { return now.Sub(c.wall.Add(passed)) })
}

// Clock implements store.Clocks.
func (w *clockWatch) Clock() error {
	now := w.now()
	high := w.mark.high.Load()
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
	if ahead := now.Sub(high.Time); w.maxStop > 0 && ahead > w.maxStop {
		return fmt.Errorf("embedded: %w: it is %s when this server last ran, more than a stop may last (%v)", store.ErrClock, describe(ahead), w.maxStop)
	}
	w.course.CompareAndSwap(nil, &course{wall: now, at: thisInstant()})
	return nil
}

// describe returns a text such as "3h0m0s behind".
func describe(ahead time.Duration) string {
	if ahead < 0 {
		return (-ahead).Round(time.Second).String() + " behind"
	}
	return ahead.Round(time.Second).String() + " ahead of"
}

// describeJump returns a text such as "back by 3h0m0s".
func describeJump(ahead time.Duration) string {
	if ahead < 0 {
		return "back by " + (-ahead).Round(time.Second).String()
	}
	return "ahead by " + ahead.Round(time.Second).String()
}

// CompareClock implements store.Clocks. There is no second clock.
func (w *clockWatch) CompareClock(context.Context) error { return w.Clock() }

// ClockState implements store.ClockKeeper.
func (w *clockWatch) ClockState() store.ClockState {
	state := store.ClockState{Now: w.now(), Err: w.Clock()}
	if high := w.mark.high.Load(); high != nil {
		state.High = high.Time
	}
	if c := w.course.Load(); c != nil {
		state.Ahead = c.ahead(state.Now)
	}
	return state
}

// mayChange returns an error while the directory must not be changed, see store.Clocks.
func (w *clockWatch) mayChange(what string) error { return translate(w.Clock(), what) }

// removalTime returns the time of a removal. While the clock is not trusted removalTime adds the time passed
// to the last trusted time, or to high: removals go on, and their contents are neither swept too early nor
// kept for years.
func (w *clockWatch) removalTime() time.Time {
	now := w.now()
	if w.Clock() == nil {
		return now
	}
	if c := w.course.Load(); c != nil {
		return now.Add(-c.ahead(now))
	}
	if high := w.mark.high.Load(); high != nil {
		return high.now()
	}
	return now
}

// latestTime returns the time, or high if the clock is behind.
func (w *clockWatch) latestTime() time.Time {
	now := w.now()
	if high := w.mark.high.Load(); high != nil && high.After(now) {
		return high.Time
	}
	return now
}

// sureTime returns the time up to which data may end because of its age. Until the clock is settled NTP may set it
// back: sureTime then adds the time passed since high was read or written to high, and is not ahead of the clock.
func (w *clockWatch) sureTime() time.Time {
	now := w.now()
	high := w.mark.high.Load()
	if high == nil || w.settled() { // without high the clock is not trusted
		return now
	}
	if sure := high.now(); sure.Before(now) {
		return sure
	}
	return now
}
