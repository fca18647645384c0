package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"popelago/store"
)

const (
	// maxDelay limits the time between the moment of an attempt and its insert into the store: the
	// clocks of two servers may differ by ten minutes, and the insert may take five.
	maxDelay = store.MaxEntryDelay
	// renewAfter is the age at which a pending insert gets a new moment.
	renewAfter = store.RenewEntryAfter
	// idle is the least ratio of the pause after a slow read to the duration of the read.
	idle = 9
	// firstRead limits the first read of attempts.
	firstRead = 5 * time.Second
)

// exchange is the state of the exchange of attempts between servers.
type exchange struct {
	turn  store.Turn
	since time.Time // of the last read
	next  time.Time // the earliest moment of the next read
	gap   gap

	end     context.CancelFunc // nil: not started
	running sync.WaitGroup
}

// gap holds the attempts that earlier reads could not read.
type gap struct {
	err  error     // nil: all attempts were read
	from time.Time // the entry of the oldest of them
	next time.Time // the earliest moment of the next try: the hours behind a gap are read again, too
}

// Start reads the attempts of the other servers, which takes 5 seconds at most, and then exchanges
// attempts with them every Config.Poll until Close. Without Config.Poll Start does nothing. The log
// has the first failure in a row and the recovery.
func (l *Ledger) Start(ctx context.Context) {
	if !l.shared() {
		return
	}
	first, cancel := context.WithTimeout(ctx, firstRead)
	defer cancel()
	_ = l.guardedExchange(first) // the loop logs a lasting failure
	ctx, l.exchange.end = context.WithCancel(context.WithoutCancel(ctx))
	l.exchange.running.Go(func() { l.exchangeUntil(ctx) })
}

// Close ends the exchange after a last write of pending attempts, which takes 5 seconds at most.
// Close may be called without Start.
func (l *Ledger) Close() {
	if l.exchange.end == nil {
		return
	}
	l.exchange.end()
	l.exchange.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout)
	defer cancel()
	if err := l.writePending(ctx); err != nil {
		l.cfg.Logger.Warn("some repeated deliveries may be stored twice: the other servers will not recognize them", "cause", err)
	}
}

// exchangeUntil exchanges attempts until ctx ends.
func (l *Ledger) exchangeUntil(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		err := l.guardedExchange(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil && !failing:
			l.cfg.Logger.Warn("repeated deliveries may be stored twice: this server and the others do not recognize each other's", "cause", err)
		case err == nil && failing:
			l.cfg.Logger.Info("all servers recognize repeated deliveries again")
		}
		failing = err != nil
		select {
		case <-time.After(store.Stagger(l.cfg.Poll)):
		case <-ctx.Done():
		}
	}
}

// guardedExchange turns a panic into an error.
func (l *Ledger) guardedExchange(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.metrics.panics.Inc()
			err = fmt.Errorf("ledger: the exchange with other servers panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return l.Exchange(ctx)
}

// Exchange reads the attempts inserted by the other servers of the datacenter, and writes the
// pending inserts and removals of this server. The next call repeats failed writes. Start calls
// Exchange. It returns the errors of the store.
func (l *Ledger) Exchange(ctx context.Context) error {
	if !l.shared() {
		return nil
	}
	x := &l.exchange
	x.turn.Lock()
	defer x.turn.Unlock()
	start := l.cfg.Now()
	if start.Before(x.next) {
		return nil // a large ledger must not keep the server busy with reads
	}
	l.memory.expire(start)
	err := l.readLocked(ctx, start)
	if end := l.cfg.Now(); err == nil && end.Sub(start) > l.cfg.Poll {
		x.next = end.Add(idle * end.Sub(start))
	}
	return errors.Join(err, l.writePending(ctx))
}

// readLocked reads the attempts entered since the last read, the newest first, until the memory is
// full. Attempts that cannot be read are read later; readLocked returns their error until then.
func (l *Ledger) readLocked(ctx context.Context, start time.Time) error {
	x := &l.exchange
	since := start.Add(-l.cfg.Keep)
	if last := x.since.Add(-maxDelay); last.After(since) {
		since = last
	}
	left := x.gap
	if left.err != nil && !start.Before(left.next) {
		since, left = earliest(since, latest(left.from, start.Add(-l.cfg.Keep))), gap{}
	}
	var read []store.Attempt
	weight, datacenter := 0, l.attempts.Local.Origin()
	for a, err := range l.attempts.Local.Attempts(ctx, since) {
		if err != nil {
			left = left.with(err, since)
			continue
		}
		read = append(read, a)
		if weight += weightOf(a); weight > l.cfg.Size {
			break
		}
	}
	if l.attempts.Local.Origin() != datacenter {
		datacenter = "" // either of the two
	}
	for i := len(read) - 1; i >= 0; i-- {
		_, forgotten := l.memory.add(read[i], false, datacenter)
		l.metrics.forgotten.Add(float64(forgotten))
	}
	if left.err != nil && left.next.IsZero() && ctx.Err() == nil {
		if end := l.cfg.Now(); end.Sub(start) > l.cfg.Poll {
			left.next = end.Add(idle * end.Sub(start))
		}
	}
	x.since, x.gap = start, left
	if left.err != nil {
		return fmt.Errorf("ledger: read attempts: %w", left.err)
	}
	return nil
}

// with returns a gap extended by the attempts of an error of a read since a moment.
func (g gap) with(err error, since time.Time) gap {
	from := since
	if unread := new(store.UnreadAttempts); errors.As(err, &unread) {
		from = latest(since, unread.From)
	}
	if g.err == nil {
		return gap{err: err, from: from}
	}
	g.from = earliest(g.from, from)
	return g
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// writePending writes the pending removals and inserts. The store keeps the attempts of each hour apart: after a failure
// the other writes of the hour wait for the next call, so an hour fails once. writePending returns the errors.
func (l *Ledger) writePending(ctx context.Context) error {
	inserts, removals := l.memory.pending()
	failed := map[time.Time]bool{} // by hour of entry
	var errs []error
	try := func(what string, v view, write func(context.Context, view) error) {
		hour := v.Entered.UTC().Truncate(time.Hour)
		if failed[hour] {
			return
		}
		if err := write(ctx, v); err != nil {
			failed[hour] = true
			errs = append(errs, fmt.Errorf("ledger: %s an attempt: %w", what, err))
		}
	}
	for _, v := range removals {
		try("remove", v, l.remove)
	}
	for _, v := range inserts {
		if l.cfg.Now().Sub(v.Entered) > renewAfter {
			var ok bool
			if v, ok = l.renew(v); !ok {
				continue
			}
		}
		try("insert", v, l.insert)
	}
	return errors.Join(errs...)
}

// renew enters an attempt again under a new moment: the other servers do not read attempts of the
// old moment any more. The store may have the attempt under both moments, so two servers may use it,
// and nothing more is written under the id. ok is false if a delivery has used the attempt.
func (l *Ledger) renew(v view) (renewed view, ok bool) {
	if v, ok = l.memory.withdraw(v.record); !ok {
		return v, false
	}
	v.ContentStored = false
	return l.memory.view(l.enter(v.Attempt)), true
}
