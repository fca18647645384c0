// Package limit bounds the statements in flight to a Cassandra cluster, and the statements waiting
// for their turn. store/cassandra asks it before each statement and reports the result of each attempt.
//
// The limit rises step by step while it is reached and the cluster keeps up. It falls when a node
// says "overloaded", when statements time out, or when statements take much longer than recently.
package limit

import (
	"context"
	"slices"
	"sync"
	"time"

	"popelago/store"
)

// Class says who wants a place among the statements in flight.
type Class int

const (
	// Foreground statements have somebody waiting for them.
	Foreground Class = iota
	// Background statements get at most a quarter of the places, and at least one place whenever
	// they want one.
	Background
	// Hedged statements repeat a slow read at a second node. They never wait for a place, and get at
	// most an eighth of the places.
	Hedged
	// Early statements have nobody waiting for them yet. They never wait for a place, and get at most a
	// quarter of the places.
	Early
	classes
)

// Config holds the bounds of a Limiter.
type Config struct {
	// Most is the highest limit, and the limit at the start.
	Most int
	// QueueTime is the longest wait for a place.
	QueueTime time.Duration
	// Slow is an average duration of statements; a shorter average never lowers the limit.
	Slow time.Duration
}

// Limiter bounds the statements in flight. Safe for concurrent use.
type Limiter struct {
	now         func() time.Time
	queueTime   time.Duration
	slow        time.Duration
	least, most int

	mu     sync.Mutex
	closed bool
	limit  int
	used   [classes]int
	queue  [Hedged][]*waiter // first come, first served in each class

	lowered time.Time            // attempts begun before it do not change the limit
	heard   map[string]time.Time // when each node last answered
	window  window
	best    time.Duration // the lowest average of a window; rises slowly
}

// waiter waits for a place. granted gets nil or an error, once.
type waiter struct{ granted chan error }

// window sums up the successful attempts since it began. It ends after windowTime and windowLeast
// attempts.
type window struct {
	began time.Time
	count int
	total time.Duration
	full  bool // the limit was reached
}

const (
	leastLimit  = 16
	windowTime  = 100 * time.Millisecond
	windowLeast = 10
	// queueFactor times the limit may wait. A longer queue would time out anyway.
	queueFactor = 4
	// slowFactor times the best average is slow.
	slowFactor = 10
	// maxHeard bounds the memory of heard.
	maxHeard = 10_000
)

// New makes a Limiter. Close ends it.
func New(cfg Config) *Limiter {
	return &Limiter{
		now: time.Now, queueTime: cfg.QueueTime, slow: cfg.Slow,
		least: min(leastLimit, cfg.Most), most: cfg.Most, limit: cfg.Most,
		heard: map[string]time.Time{},
	}
}

// Take waits for a place among the statements in flight. Release must follow. c is not Hedged. An Early statement does
// not wait: without a free place Take returns store.ErrOverloaded at once.
//
// Errors: store.ErrOverloaded, the error of the context, store.ErrClosed.
func (l *Limiter) Take(ctx context.Context, c Class) error {
	waits := c < Hedged
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return store.ErrClosed
	case (!waits || len(l.queue[c]) == 0) && l.freeLocked(c):
		l.takeLocked(c)
		l.mu.Unlock()
		return nil
	case !waits || len(l.queue[c]) >= queueFactor*l.limit:
		l.mu.Unlock()
		return store.ErrOverloaded
	}
	w := &waiter{granted: make(chan error, 1)}
	l.queue[c] = append(l.queue[c], w)
	l.mu.Unlock()

	patience := time.NewTimer(l.queueTime)
	defer patience.Stop()
	select {
	case err := <-w.granted:
		return err
	case <-patience.C:
		return l.giveUp(w, c, store.ErrOverloaded)
	case <-ctx.Done():
		return l.giveUp(w, c, ctx.Err())
	}
}

// giveUp removes a waiter from its queue and returns err. If the waiter was answered meanwhile,
// giveUp returns the answer.
func (l *Limiter) giveUp(w *waiter, c Class, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue[c], w); i >= 0 {
		l.queue[c] = slices.Delete(l.queue[c], i, i+1)
		return err
	}
	return <-w.granted
}

// Try takes a place if one is free, without waiting.
func (l *Limiter) Try(c Class) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.freeLocked(c) {
		return false
	}
	l.takeLocked(c)
	return true
}

// Release gives a place back.
func (l *Limiter) Release(c Class) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[c]--
	l.admitLocked()
}

// Close fails all waiting and all later statements with store.ErrClosed.
func (l *Limiter) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.queue {
		for _, w := range l.queue[c] {
			w.granted <- store.ErrClosed
		}
		l.queue[c] = nil
	}
}

func (l *Limiter) usedLocked() (n int) {
	for _, used := range l.used {
		n += used
	}
	return n
}

// freeLocked reports whether a place is free for a class.
func (l *Limiter) freeLocked(c Class) bool {
	if l.usedLocked() >= l.limit {
		return false
	}
	switch c {
	case Background:
		return l.used[c] < max(l.limit/4, 1)
	case Hedged:
		return l.used[c] < max(l.limit/8, 1)
	case Early:
		return l.used[c] < max(l.limit/4, 1)
	}
	return true
}

func (l *Limiter) takeLocked(c Class) {
	l.used[c]++
	if l.usedLocked() >= l.limit {
		l.window.full = true
	}
}

// admitLocked gives free places to waiters. Background work comes first if none is in flight, so
// that background work proceeds, and otherwise last.
func (l *Limiter) admitLocked() {
	for {
		c := Foreground
		if len(l.queue[Background]) > 0 && (l.used[Background] == 0 || len(l.queue[Foreground]) == 0) {
			c = Background
		}
		if len(l.queue[c]) == 0 || !l.freeLocked(c) {
			return
		}
		l.takeLocked(c)
		l.queue[c][0].granted <- nil
		l.queue[c][0] = nil
		l.queue[c] = l.queue[c][1:]
	}
}

// State holds the figures of a Limiter for metrics.
type State struct{ Limit, Used, Waiting int }

// State returns the present figures.
func (l *Limiter) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{Limit: l.limit, Used: l.usedLocked(), Waiting: len(l.queue[Foreground]) + len(l.queue[Background])}
}
