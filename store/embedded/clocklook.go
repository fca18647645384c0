package embedded

import (
	"context"
	"time"

	"popelago/store"
)

const (
	// watchEvery is the interval between looks at the clock.
	watchEvery = time.Second
	// raiseEvery is the shortest interval between writes of high.
	raiseEvery = time.Minute
	// courseStiffness divides the time passed: by the quotient, 2 minutes a day, the course follows a
	// trusted clock. A clock set by more than store.MaxClockSkew is noticed all the same, also if it is
	// set in small steps within a day.
	courseStiffness = 720
)

// start looks at the clock, now and every watchEvery until Close.
func (w *clockWatch) start() {
	w.opened = thisInstant()
	w.look()
	w.closing.every(watchEvery, w.look)
}

// look logs changes of the clock state, and raises high.
func (w *clockWatch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mark.high.Load() == nil {
		if err := w.mark.read(w.now()); err != nil {
			w.logLocked(clockUnknown, err)
			return
		}
	}
	w.acceptSetLocked()
	if err := w.Clock(); err != nil {
		w.logLocked(clockWrong, err)
		return
	}
	w.logLocked(clockRight, nil)
	w.correctLocked()
	if now := w.now(); w.settled() && now.Sub(w.mark.high.Load().Time) >= raiseEvery {
		if err := w.mark.raise(context.Background(), now); err != nil {
			w.logger.Debug("embedded store: the time is not kept", "cause", err) // the failed write was logged
		}
	}
}

// Clock states for the log.
const (
	clockUnknown = "unknown"
	clockRight   = "right"
	clockWrong   = "wrong"
)

// logLocked logs the clock state unless it was logged last.
func (w *clockWatch) logLocked(state string, cause error) {
	before := w.said
	if w.said = state; state == before {
		return
	}
	switch {
	case state == clockUnknown:
		w.logger.Error("embedded store: when this server last ran cannot be read: no mail is taken, and no mail expires", "cause", cause)
	case state == clockWrong:
		w.logger.Error("the clock is wrong: no mail is taken, and no mail expires, until it is right",
			"cause", cause, "if_it_is_right", "popelago clock trust")
	case before != "":
		w.logger.Info("the clock is right")
	}
}

// settled reports whether the clock has been trusted long enough for NTP to correct a clock that was wrong
// at the start. Only then high rises.
func (w *clockWatch) settled() bool {
	c := w.course.Load()
	return c != nil && (c.sure || c.at.passed() >= w.settle)
}

// correctLocked moves the course towards a trusted clock, see courseStiffness.
func (w *clockWatch) correctLocked() {
	c := w.course.Load()
	if c == nil {
		return
	}
	if w.corrected.running.IsZero() {
		w.corrected = thisInstant()
	}
	passed := w.corrected.passed()
	if passed < raiseEvery {
		return
	}
	most := passed / courseStiffness
	moved := *c
	moved.wall = c.wall.Add(max(-most, min(c.ahead(w.now()), most)))
	w.corrected = thisInstant()
	w.course.CompareAndSwap(c, &moved)
}

// acceptSetLocked accepts a clock that was set, and has been steady since: soon after it was first trusted, as by NTP, or
// ahead in agreement with NTP, as after a pause of a virtual machine. The clock is then judged as at a start.
func (w *clockWatch) acceptSetLocked() {
	now := w.now()
	c := w.course.Load()
	if c == nil || c.ahead(now).Abs() <= store.MaxClockSkew {
		w.moved = nil
		return
	}
	if w.moved == nil || w.moved.ahead(now).Abs() > store.ClockWarning {
		w.moved = &course{wall: now, at: thisInstant()}
		return
	}
	if w.moved.at.passed() < w.settle/15 {
		return
	}
	ahead := c.ahead(now)
	switch {
	case !c.sure && w.moved.at.running.Sub(c.at.running) < w.settle:
		w.logger.Warn("the clock was set soon after the start", "by", ahead.Round(time.Second))
	case ahead > 0 && w.settle > 0 && w.agrees():
		w.logger.Warn("the clock was set, and agrees with NTP: this machine was paused", "by", ahead.Round(time.Second))
	default:
		return
	}
	w.course.Store(nil)
	w.moved = nil
}

// keepTime writes the time of a stop.
func (w *clockWatch) keepTime() {
	if !w.mu.TryLock() {
		return // a write waits for a hanging disk
	}
	defer w.mu.Unlock()
	high := w.mark.high.Load()
	if now := w.now(); high != nil && w.Clock() == nil && w.settled() && now.After(high.Time) {
		if err := w.mark.raise(context.Background(), now); err != nil {
			w.logger.Debug("embedded store: the time is not kept", "cause", err)
		}
	}
}

// TrustClock implements store.ClockKeeper.
func (w *clockWatch) TrustClock(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if err := w.mark.raise(ctx, now); err != nil {
		return err
	}
	w.moved = nil
	w.course.Store(&course{wall: now, at: thisInstant(), sure: true})
	w.logger.Info("an operator says that the clock is right", "now", now)
	w.said = clockRight
	return w.Clock()
}
