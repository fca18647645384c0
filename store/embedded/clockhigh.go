package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

const (
	// watchEvery is how often the clock is looked at.
	watchEvery = time.Second
	// raiseEvery is how often the time in the folder rises, at most. Each time costs a write.
	raiseEvery = time.Minute
	// The course follows a trusted clock by one part in courseStiffness of the time that passed: by 2
	// minutes a day. A clock that is set by more than store.MaxClockSkew is noticed all the same, and
	// so is one that is set by as much in small steps within a day.
	courseStiffness = 720
	// highPatience limits each of those writes.
	highPatience = 5 * time.Second
)

// highKey is where the latest time stands that is known to have passed.
func highKey() []byte { return []byte{prefixHigh} }

// setFirstHigh keeps the time in a new database.
func (s *Store) setFirstHigh(db *pebble.DB) error {
	return db.Set(highKey(), encodeMoment(s.now().UnixMicro()), pebble.NoSync) // flushed next
}

// startWatch looks at the clock for the first time, and goes on with that until Close.
func (s *Store) startWatch() {
	s.clock.opened = thisInstant()
	s.lookAtClock()
	s.background.Go(func() {
		again := time.NewTicker(watchEvery)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				s.lookAtClock()
			case <-s.closing:
				return
			}
		}
	})
}

// lookAtClock says what changed about the clock, and keeps the time in the folder.
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
			s.cfg.Logger.Debug("embedded store: the time is not kept", "cause", err) // the fault is told elsewhere
		}
	}
}

// What was said about the clock.
const (
	clockUnknown = "unknown"
	clockRight   = "right"
	clockWrong   = "wrong"
)

// sayLocked logs the state of the clock unless it is what was logged last.
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

// settled reports whether the clock has been trusted for so long that NTP would have put it right
// by now if it had been wrong at the start: only then does the time in the folder rise.
func (s *Store) settled() bool {
	c := s.clock.course.Load()
	return c != nil && (c.sure || c.at.passed() >= s.cfg.Settle)
}

// giveWayLocked moves the course towards a clock that can be trusted, by one part in courseStiffness
// of the time that passed.
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

// followLocked takes a clock for right that was set soon after it was first trusted, and has been
// steady since: NTP does that. It is then judged as at a start.
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

// readHighLocked reads the time in the folder. A folder without one gets it now: it is of a release
// that did not keep it.
func (s *Store) readHighLocked() error {
	var high time.Time
	err := s.read("read the latest time", func(db *pebble.DB) error {
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

// raiseHighLocked keeps a time in the folder.
func (s *Store) raiseHighLocked(ctx context.Context, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, highPatience)
	defer cancel()
	err := s.commit(ctx, "keep the time", &write{prepare: func(g *group) error {
		return g.batch.Set(highKey(), encodeMoment(to.UnixMicro()), nil)
	}})
	if err == nil {
		to = to.Truncate(time.Microsecond)
		s.clock.high.Store(&to)
	}
	return err
}

// keepTime keeps the time of a stop.
func (s *Store) keepTime() {
	w := &s.clock
	if !w.mu.TryLock() {
		return // somebody waits for a disk that hangs
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
