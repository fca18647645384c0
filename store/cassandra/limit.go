package cassandra

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"popelago/store"
)

// errOverloaded says that a statement was given up because of those under way.
var errOverloaded = errors.New("too many statements are under way")

// class is what a place among the statements under way is for.
type class int

const (
	// foreground is what somebody waits for.
	foreground class = iota
	// background is at most a quarter of the places; but one of them, if wanted, in any case.
	background
	// second is another attempt at a read (see hedged). It never waits for a place, and has at
	// most an eighth of them.
	second
	classes
)

// limiter bounds how many statements are under way, and how many wait for it. The bound rises
// step by step while it is reached and all is well, and falls by a part when the cluster cannot
// keep up: it says so, statements time out, or take much longer than they recently did. Safe for
// concurrent use.
type limiter struct {
	now         func() time.Time
	queueTime   time.Duration
	slow        time.Duration // what takes less on average never counts as slow
	least, most int

	mu     sync.Mutex
	closed bool
	limit  int
	used   [classes]int
	queue  [second][]*waiter // first come, first served in each class

	lowered time.Time            // what began before says nothing of the limit now
	heard   map[string]time.Time // when each node last answered
	window  window
	best    time.Duration // the lowest average of a window; it forgets slowly
}

// waiter waits for a place, and is told once: nil, or why not.
type waiter struct{ told chan error }

// window is what happened since it began. It ends after windowTime and windowLeast statements.
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
	// queueFactor times the limit may wait: more would wait in vain.
	queueFactor = 4
	// slowFactor times the best average is slow.
	slowFactor = 10
	// maxHeard bounds how many nodes are remembered.
	maxHeard = 10_000
)

func newLimiter(cfg Config) *limiter {
	return &limiter{
		now: time.Now, queueTime: cfg.QueueTime, slow: cfg.Timeout / 20,
		least: min(leastLimit, cfg.Concurrency), most: cfg.Concurrency, limit: cfg.Concurrency,
		heard: map[string]time.Time{},
	}
}

// take waits until one more statement may be under way; it must be followed by release.
//
// Errors: errOverloaded, that of the context, store.ErrClosed. c is not second.
func (l *limiter) take(ctx context.Context, c class) error {
	l.mu.Lock()
	switch {
	case l.closed:
		l.mu.Unlock()
		return store.ErrClosed
	case len(l.queue[c]) == 0 && l.freeLocked(c):
		l.takeLocked(c)
		l.mu.Unlock()
		return nil
	case len(l.queue[c]) >= queueFactor*l.limit:
		l.mu.Unlock()
		return errOverloaded
	}
	w := &waiter{told: make(chan error, 1)}
	l.queue[c] = append(l.queue[c], w)
	l.mu.Unlock()

	patience := time.NewTimer(l.queueTime)
	defer patience.Stop()
	select {
	case err := <-w.told:
		return err
	case <-patience.C:
		return l.giveUp(w, c, errOverloaded)
	case <-ctx.Done():
		return l.giveUp(w, c, ctx.Err())
	}
}

// giveUp takes a waiter out of its queue and returns err; or what it has been told meanwhile.
func (l *limiter) giveUp(w *waiter, c class, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue[c], w); i >= 0 {
		l.queue[c] = slices.Delete(l.queue[c], i, i+1)
		return err
	}
	return <-w.told
}

// try is take for those who do not wait.
func (l *limiter) try(c class) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.freeLocked(c) {
		return false
	}
	l.takeLocked(c)
	return true
}

// release gives a place back.
func (l *limiter) release(c class) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[c]--
	l.admitLocked()
}

// close sends away those who wait, and all who come later.
func (l *limiter) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.queue {
		for _, w := range l.queue[c] {
			w.told <- store.ErrClosed
		}
		l.queue[c] = nil
	}
}

func (l *limiter) usedLocked() (n int) {
	for _, used := range l.used {
		n += used
	}
	return n
}

// freeLocked reports whether there is a place.
func (l *limiter) freeLocked(c class) bool {
	if l.usedLocked() >= l.limit {
		return false
	}
	switch c {
	case background:
		return l.used[c] < max(l.limit/4, 1)
	case second:
		return l.used[c] < max(l.limit/8, 1)
	}
	return true
}

func (l *limiter) takeLocked(c class) {
	l.used[c]++
	if l.usedLocked() >= l.limit {
		l.window.full = true
	}
}

// admitLocked lets in who waits: background work first if none of it is under way, so that it
// goes on, and otherwise last.
func (l *limiter) admitLocked() {
	for {
		c := foreground
		if len(l.queue[background]) > 0 && (l.used[background] == 0 || len(l.queue[foreground]) == 0) {
			c = background
		}
		if len(l.queue[c]) == 0 || !l.freeLocked(c) {
			return
		}
		l.takeLocked(c)
		l.queue[c][0].told <- nil
		l.queue[c][0] = nil
		l.queue[c] = l.queue[c][1:]
	}
}

// limiterState is for the metrics.
type limiterState struct{ limit, used, waiting int }

func (l *limiter) state() limiterState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return limiterState{limit: l.limit, used: l.usedLocked(), waiting: len(l.queue[foreground]) + len(l.queue[background])}
}
