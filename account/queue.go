package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// class orders the logins that wait for a turn to hash. A smaller class goes first.
type class int

const (
	// classKnown: the account has logged in from this address lately.
	classKnown class = iota
	// classClean: the address has no recent failures.
	classClean
	// classSuspect: logins from the address have failed lately.
	classSuspect
	classes
)

// Of every lowestEvery turns the last class gets one before the better classes, so that no class
// waits for ever.
const lowestEvery = 4

// queue gives the turns to compute password hashes. A bounded number of logins hash at one
// time and a bounded number wait. Waiting logins are served class by class, within a class
// network by network in turn, and within a network address by address in turn: many logins
// from one network delay that network.
//
// A full queue refuses a new login at once, unless a waiting login has a worse claim: then the new
// login displaces the last login of the network with the most waiting logins of the lowest class. The hashes of imports,
// which are as many as the administrator asks for, take no places: they are neither refused nor displaced.
//
// Safe for concurrent use.
type queue struct {
	places int // most logins that wait
	hashes int // most hashes at one time

	mu      sync.Mutex
	hashing int
	waiting int
	served  uint64 // turns given to logins that waited
	rings   [classes]ring[*network]
	metrics *metrics
}

// seat is the claim of a login to a turn.
type seat struct {
	from  client
	class class
	// waits is called before the login waits. The context returned ends when the client hangs up;
	// the function returned is called after the wait. Nil: ctx alone ends the wait.
	waits func(context.Context) (context.Context, func())
}

// waiter is a login that waits. ready receives exactly one value unless the login leaves before:
// nil for a turn, or an error.
type waiter struct {
	seat
	ready chan error
}

// errLeft: the client did not wait for its turn.
var errLeft = errors.New("left the queue of password hashes")

func newQueue(hashes, places int, m *metrics) *queue {
	return &queue{hashes: hashes, places: places, metrics: m}
}

// turn waits until a hash may be computed. The caller calls release after the hash.
//
// Errors: ErrBusy if too many logins wait; the cause of ctx, wrapped, if ctx ends first.
func (q *queue) turn(ctx context.Context, s seat) (release func(), err error) {
	w, err := q.enter(s)
	if err != nil {
		return nil, err
	}
	if w == nil {
		return q.leave, nil
	}
	if s.waits != nil {
		var done func()
		ctx, done = s.waits(ctx)
		defer done()
	}
	select {
	case err := <-w.ready:
		if err != nil {
			return nil, err
		}
		return q.leave, nil
	case <-ctx.Done():
		q.abandon(w)
		return nil, fmt.Errorf("account: %w: %w", errLeft, context.Cause(ctx))
	}
}

// enter gets a turn if a turn is free (nil waiter), or a place in the queue, or returns ErrBusy.
func (q *queue) enter(s seat) (*waiter, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.hashing < q.hashes {
		q.hashing++
		return nil, nil
	}
	if s.from.network != importNetwork() && q.waiting-q.imports() >= q.places {
		victim := q.victim(s)
		if victim == nil {
			q.metrics.busy.WithLabelValues("refused").Inc()
			return nil, ErrBusy
		}
		q.remove(victim)
		victim.ready <- ErrBusy
		q.metrics.busy.WithLabelValues("displaced").Inc()
	}
	w := &waiter{seat: s, ready: make(chan error, 1)}
	q.rings[s.class].find(s.from.network, newNetwork).add(w)
	q.setWaiting(q.waiting + 1)
	return w, nil
}

// imports is the number of waiting hashes of imports.
func (q *queue) imports() int {
	if n := q.rings[importClass].get(importNetwork()); n != nil {
		return n.waiting
	}
	return 0
}

// victim returns the waiting login that a new login displaces from a full queue; nil if no waiting
// login has a worse claim.
func (q *queue) victim(s seat) *waiter {
	for c := classes - 1; c >= s.class; c-- {
		var longest *network
		for _, n := range q.rings[c].members {
			if n.prefix != importNetwork() && (longest == nil || n.waiting > longest.waiting) {
				longest = n
			}
		}
		if longest == nil {
			continue
		}
		if c > s.class || q.rings[c].get(s.from.network).fewer(longest, s.from) {
			return longest.last()
		}
	}
	return nil
}

// leave ends a turn and gives it to the next login.
func (q *queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.next()
	if w == nil {
		q.hashing--
		return
	}
	q.served++
	w.ready <- nil
}

// next removes the login whose turn has come from the queue; nil if no login waits.
func (q *queue) next() *waiter {
	if q.waiting == 0 {
		return nil
	}
	for i := range classes {
		c := i
		if q.served%lowestEvery == lowestEvery-1 {
			c = classes - 1 - i
		}
		if n, ok := q.rings[c].next(); ok {
			w := n.next()
			if n.waiting == 0 {
				q.rings[c].drop(n)
			}
			q.setWaiting(q.waiting - 1)
			return w
		}
	}
	return nil
}

// abandon removes a login whose client has left.
func (q *queue) abandon(w *waiter) {
	q.mu.Lock()
	removed := q.remove(w)
	q.mu.Unlock()
	if removed {
		q.metrics.busy.WithLabelValues("abandoned").Inc()
		return
	}
	if <-w.ready == nil { // the login got a turn at the same time
		q.leave()
	}
}

// remove removes w from the queue and reports whether the queue contained w.
func (q *queue) remove(w *waiter) bool {
	r := &q.rings[w.class]
	n := r.get(w.from.network)
	if n == nil || !n.remove(w) {
		return false
	}
	if n.waiting == 0 {
		r.drop(n)
	}
	q.setWaiting(q.waiting - 1)
	return true
}

func (q *queue) setWaiting(n int) {
	q.waiting = n
	q.metrics.waiting.Set(float64(n))
}
