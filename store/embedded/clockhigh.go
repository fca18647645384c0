package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

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
	// highPatience bounds a write of high.
	highPatience = 5 * time.Second
)

// highKey returns the key of high.
func highKey() []byte { return []byte{prefixHigh} }

// setFirstHigh writes high in a new database.
func setFirstHigh(db *pebble.DB, now time.Time) error {
	return db.Set(highKey(), encodeMoment(now.UnixMicro()), pebble.NoSync) // flushed next
}

// startWatch looks at the clock, now and every watchEvery until Close.
func (s *Store) startWatch() {
	s.clock.opened = thisInstant()
	s.lookAtClock()
	s.closing.every(watchEvery, s.lookAtClock)
}

// lookAtClock logs changes of the clock state, and raises high.
func (s *Store) lookAtClock() {
	w := &s.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.high.Load() == nil {
		if err := s.readHighLocked(); err != nil {
			s.sayLocked(clockUnknown, err)
			return
		}
	}
	s.followLocked()
	if err := s.Clock(); err != nil {
		s.sayLocked(clockWrong, err)
		return
	}
	s.sayLocked(clockRight, nil)
	s.giveWayLocked()
	if now := s.now(); s.settled() && now.Sub(*w.high.Load()) >= raiseEvery {
		if err := s.raiseHighLocked(context.Background(), now); err != nil {
			s.cfg.Logger.Debug("embedded store: the time is not kept", "cause", err) // the failed write was logged
		}
	}
}

// Clock states for the log.
const (
	clockUnknown = "unknown"
	clockRight   = "right"
	clockWrong   = "wrong"
)

// sayLocked logs the clock state unless it was logged last.
func (s *Store) sayLocked(state string, cause error) {
	before := s.clock.said
	if s.clock.said = state; state == before {
		return
	}
	switch {
	case state == clockUnknown:
		s.cfg.Logger.Error("embedded store: when this server last ran cannot be read: no mail is taken, and no mail expires", "cause", cause)
	case state == clockWrong:
		s.cfg.Logger.Error("the clock is wrong: no mail is taken, and no mail expires, until it is right",
			"cause", cause, "if_it_is_right", "popelago clock trust")
	case before != "":
		s.cfg.Logger.Info("the clock is right")
	}
}

// settled reports whether the clock has been trusted long enough for NTP to correct a clock that was wrong
// at the start. Only then high rises.
func (s *Store) settled() bool {
	c := s.clock.course.Load()
	return c != nil && (c.sure || c.at.passed() >= s.cfg.Settle)
}

// giveWayLocked moves the course towards a trusted clock, see courseStiffness.
func (s *Store) giveWayLocked() {
	w := &s.clock
	c := w.course.Load()
	if c == nil {
		return
	}
	if w.gaveWay.running.IsZero() {
		w.gaveWay = thisInstant()
	}
	passed := w.gaveWay.passed()
	if passed < raiseEvery {
		return
	}
	most := passed / courseStiffness
	moved := *c
	moved.wall = c.wall.Add(max(-most, min(c.ahead(s.now()), most)))
	w.gaveWay = thisInstant()
	w.course.CompareAndSwap(c, &moved)
}

// followLocked accepts a clock that was set soon after it was first trusted, and has been steady since, as
// by NTP. The clock is then judged as at a start.
func (s *Store) followLocked() {
	w, now := &s.clock, s.now()
	c := w.course.Load()
	if c == nil || c.sure || c.ahead(now).Abs() <= store.MaxClockSkew {
		w.moved = nil
		return
	}
	if w.moved == nil || w.moved.ahead(now).Abs() > store.ClockWarning {
		w.moved = nil
		if c.at.passed() < s.cfg.Settle {
			w.moved = &course{wall: now, at: thisInstant()}
		}
		return
	}
	if w.moved.at.passed() < s.cfg.Settle/15 {
		return
	}
	s.cfg.Logger.Warn("the clock was set soon after the start", "by", c.ahead(now).Round(time.Second))
	w.course.Store(nil)
	w.moved = nil
}

// readHighLocked reads high. A folder of a release without high gets one.
func (s *Store) readHighLocked() error {
	var high time.Time
	err := s.link.read("read the latest time", func(db *pebble.DB) error {
		v, err := get(db, highKey())
		if err != nil {
			return err
		}
		micros, err := decodeMoment(v)
		high = time.UnixMicro(micros)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		now := s.now()
		if err := s.raiseHighLocked(context.Background(), now); err != nil {
			s.clock.high.Store(&now) // kept later
		}
		return nil
	case err != nil:
		return err
	}
	s.clock.high.Store(&high)
	return nil
}

// raiseHighLocked writes high.
func (s *Store) raiseHighLocked(ctx context.Context, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, highPatience)
	defer cancel()
	err := s.committer.commit(ctx, "keep the time", &write{prepare: func(g *group) error {
		return g.batch.Set(highKey(), encodeMoment(to.UnixMicro()), nil)
	}})
	if err == nil {
		to = to.Truncate(time.Microsecond)
		s.clock.high.Store(&to)
	}
	return err
}

// keepTime writes the time of a stop.
func (s *Store) keepTime() {
	w := &s.clock
	if !w.mu.TryLock() {
		return // a write waits for a hanging disk
	}
	defer w.mu.Unlock()
	high := w.high.Load()
	if now := s.now(); high != nil && s.Clock() == nil && s.settled() && now.After(*high) {
		if err := s.raiseHighLocked(context.Background(), now); err != nil {
			s.cfg.Logger.Debug("embedded store: the time is not kept", "cause", err)
		}
	}
}

// TrustClock implements store.ClockKeeper.
func (s *Store) TrustClock(ctx context.Context) error {
	w := &s.clock
	w.mu.Lock()
	defer w.mu.Unlock()
	now := s.now()
	if err := s.raiseHighLocked(ctx, now); err != nil {
		return err
	}
	w.moved = nil
	w.course.Store(&course{wall: now, at: thisInstant(), sure: true})
	s.cfg.Logger.Info("an operator says that the clock is right", "now", now)
	w.said = clockRight
	return s.Clock()
}
