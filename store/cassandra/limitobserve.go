package cassandra

import (
	"errors"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// observe learns from an attempt to execute a statement, and passes it on to next, which may be
// nil.
func (l *limiter) observe(next func(Statement)) func(Statement) {
	return func(s Statement) {
		l.learn(s)
		if next != nil {
			next(s)
		}
	}
}

// learn lowers or raises the limit by what became of an attempt.
//
// What asks other datacenters, or every replica, tells more of the way there than of the load,
// and does not count unless a node says that it is overloaded.
func (l *limiter) learn(s Statement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	began := now.Add(-s.Took)
	overloaded := l.overloadedLocked(s, began)
	if answered(s.Err) {
		if len(l.heard) >= maxHeard {
			clear(l.heard)
		}
		l.heard[s.Host] = now
	}
	if began.Before(l.lowered) {
		return
	}
	switch {
	case overloaded:
		l.setLocked(l.limit * 3 / 4)
		l.lowered, l.window = now, window{began: now}
	case s.Err == nil && s.Consistency == gocql.LocalQuorum.String():
		l.addLocked(now, s.Took)
	}
}

// overloadedLocked reports whether an attempt failed because there was too much to do. A node
// that did not answer anything since it began is away, which fewer statements would not change.
func (l *limiter) overloadedLocked(s Statement, began time.Time) bool {
	near := s.Consistency == gocql.LocalQuorum.String()
	if errors.Is(s.Err, gocql.ErrTimeoutNoResponse) {
		return near && l.heard[s.Host].After(began)
	}
	var answer gocql.RequestError
	if !errors.As(s.Err, &answer) {
		return false
	}
	switch answer.Code() {
	case gocql.ErrCodeOverloaded:
		return true
	case gocql.ErrCodeReadTimeout, gocql.ErrCodeWriteTimeout:
		return near
	}
	return false
}

// answered reports whether a node answered, if only with an error.
func answered(err error) bool {
	var answer gocql.RequestError
	return err == nil || errors.As(err, &answer)
}

// addLocked counts a success, and judges the window if that ends it.
func (l *limiter) addLocked(now time.Time, took time.Duration) {
	w := &l.window
	if w.count == 0 && w.began.IsZero() {
		w.began = now
	}
	w.count++
	w.total += took
	if w.count < windowLeast || now.Sub(w.began) < windowTime {
		return
	}
	average := w.total / time.Duration(w.count)
	if l.best == 0 || average < l.best {
		l.best = average
	} else {
		l.best += min(average-l.best, l.best/2000) // twice as much after some minutes
	}
	switch {
	case average > slowFactor*l.best && average > l.slow:
		l.setLocked(l.limit * 9 / 10)
		l.lowered = now
	case w.full:
		l.setLocked(l.limit + max(l.most/64, 1))
	}
	l.window = window{began: now, full: l.usedLocked() >= l.limit}
}

// setLocked sets the limit within its bounds, and lets in who may now.
func (l *limiter) setLocked(limit int) {
	l.limit = min(max(limit, l.least), l.most)
	l.admitLocked()
}
