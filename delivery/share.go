package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"popelago/store"
)

const (
	// late is how old an attempt may be when the others read of it for the first time: their
	// clocks may differ by five minutes each way, and writing may take as long.
	late = 15 * time.Minute
	// renewAfter is how long an attempt is written again and again under the name it has.
	renewAfter = 5 * time.Minute
	// idle is how much longer than reading the pause behind it is, if reading takes long.
	idle = 9
)

// sharing is what ShareAttempts has done so far.
type sharing struct {
	mu    sync.Mutex
	since time.Time // when everything was read for the last time
	next  time.Time // not before
}

// Share calls ShareAttempts every Config.LedgerPoll until ctx ends, and then returns. Where
// attempts are not shared it returns at once.
func (d *Deliverer) Share(ctx context.Context) {
	if !d.ledger.shared {
		return
	}
	failing := false
	for ctx.Err() == nil {
		err := d.guardedShare(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && !failing:
			d.cfg.Logger.Warn("other servers may not recognize repeated deliveries of this one, nor this one theirs", "cause", err)
		case err == nil && failing:
			d.cfg.Logger.Info("repeated deliveries are recognized by all servers again")
		}
		failing = err != nil
		// A tenth is random, so that servers do not run in step.
		pause := d.cfg.LedgerPoll - time.Duration(rand.Int64N(int64(d.cfg.LedgerPoll)/10+1))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	if err := d.sayUnsaid(ctx); err != nil {
		d.cfg.Logger.Warn("other servers will not recognize some repeated deliveries", "cause", err)
	}
}

// guardedShare turns a panic into an error.
func (d *Deliverer) guardedShare(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			d.metrics.panics.Inc()
			err = fmt.Errorf("delivery: sharing the ledger panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return d.ShareAttempts(ctx)
}

// ShareAttempts reads what other servers of the datacenter have entered, and tells them what
// they do not know yet. What fails is done the next time. Share calls it.
func (d *Deliverer) ShareAttempts(ctx context.Context) error {
	if !d.ledger.shared {
		return nil
	}
	s := &d.sharing
	s.mu.Lock()
	defer s.mu.Unlock()
	start := d.cfg.Now()
	if start.Before(s.next) {
		return nil // there is so much that reading would be all that happens
	}
	d.ledger.expire(start)
	err := d.readAttempts(ctx, s, start)
	if end := d.cfg.Now(); err == nil && end.Sub(start) > d.cfg.LedgerPoll {
		s.next = end.Add(idle * end.Sub(start))
	}
	return errors.Join(err, d.sayUnsaid(ctx))
}

// readAttempts reads what was entered since the last time, the newest first, as far as there is
// room.
func (d *Deliverer) readAttempts(ctx context.Context, s *sharing, start time.Time) error {
	since := start.Add(-d.cfg.LedgerKeep)
	if last := s.since.Add(-late); last.After(since) {
		since = last
	}
	var read []store.Attempt
	weight, through := 0, d.shared.Local.Origin()
	for a, err := range d.shared.Local.Attempts(ctx, since) {
		if err != nil {
			return fmt.Errorf("delivery: read the ledger: %w", err)
		}
		read = append(read, a)
		if weight += weightOf(a); weight > d.cfg.LedgerSize {
			break
		}
	}
	if d.shared.Local.Origin() != through {
		through = "" // either of the two
	}
	for i := len(read) - 1; i >= 0; i-- {
		_, forgotten := d.ledger.add(read[i], false, through)
		d.metrics.forgotten.Add(float64(forgotten))
	}
	s.since = start
	return nil
}

// sayUnsaid writes what could not be written before, until something fails.
func (d *Deliverer) sayUnsaid(ctx context.Context) error {
	unwritten, unremoved := d.ledger.unsaid()
	for _, a := range unremoved {
		if err := d.shared.Local.RemoveAttempt(ctx, a.Attempt); err != nil {
			return fmt.Errorf("delivery: remove from the ledger: %w", err)
		}
		d.ledger.removed(a.node)
	}
	for _, a := range unwritten {
		if d.cfg.Now().Sub(a.Entered) > renewAfter {
			// The others would not look for it any more. It may be there under its old name
			// too: see claim.
			var ok bool
			if a, ok = d.ledger.withdraw(a.node); !ok {
				continue
			}
			a.ContentStored = false
			a = d.ledger.copyOf(d.enter(a.Attempt))
		}
		if err := d.write(ctx, a); err != nil {
			return fmt.Errorf("delivery: write to the ledger: %w", err)
		}
	}
	return nil
}
