package limit

import (
	"errors"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Result is the result of one attempt to execute a statement at a node.
type Result struct {
	// Host is the address of the node.
	Host string
	// Local is set for statements at LOCAL_QUORUM. Other levels involve distant nodes or every
	// replica, and tell more about those than about the load.
	Local bool
	// Took is the time from the request to the answer.
	Took time.Duration
	// Err is the error of the attempt.
	Err error
}

// Learn lowers or raises the limit by the result of an attempt. An attempt without Local counts only
// if a node says "overloaded".
func (l *Limiter) Learn(a Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	began := now.Add(-a.Took)
	overloaded := l.overloadedLocked(a, began)
	if answered(a.Err) {
		if len(l.heard) >= maxHeard {
			clear(l.heard)
		}
		l.heard[a.Host] = now
	}
	if began.Before(l.lowered) {
		return
	}
	switch {
	case overloaded:
		l.setLocked(l.limit * 3 / 4)
		l.lowered, l.window = now, window{began: now}
	case a.Err == nil && a.Local:
		l.addLocked(now, a.Took)
	}
}

// overloadedLocked reports whether an attempt failed because the cluster had too much to do. A node
// silent since the attempt began is away; fewer statements would not help.
func (l *Limiter) overloadedLocked(a Result, began time.Time) bool {
	if a.Err == nil {
		return false
	}
	if errors.Is(a.Err, gocql.ErrTimeoutNoResponse) {
		return a.Local && l.heard[a.Host].After(began)
	}
	var answer gocql.RequestError
	if !errors.As(a.Err, &answer) {
		return false
	}
	switch answer.Code() {
	case gocql.ErrCodeOverloaded:
		return true
	case gocql.ErrCodeReadTimeout, gocql.ErrCodeWriteTimeout:
		return a.Local
	}
	return false
}

// answered reports whether a node answered, if only with an error.
func answered(err error) bool {
	if err == nil {
		return true
	}
	var answer gocql.RequestError
	return errors.As(err, &answer)
}

// addLocked counts a success, and judges the window when the success completes the window.
func (l *Limiter) addLocked(now time.Time, took time.Duration) {
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
		l.best += min(average-l.best, l.best/2000) // doubles in some minutes
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

// setLocked sets the limit within its bounds, and gives new places to waiters.
func (l *Limiter) setLocked(limit int) {
	l.limit = min(max(limit, l.least), l.most)
	l.admitLocked()
}
