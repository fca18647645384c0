package quota

import (
	"context"
	"fmt"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store"
)

// entry is the known usage of a mailbox: the last read, and the changes of the local server since.
type entry struct {
	// turn is held by the caller that reads the list. A channel, because a wait ends with a context.
	turn chan struct{}

	mu    sync.Mutex
	reads int       // reads that have ended; zero: the usage is unknown
	began time.Time // of the last read
	took  time.Duration
	base  Usage // the result of the last read
	// since holds the changes that the last read cannot have seen, doubtful the deliveries that the read
	// may have seen, and pending the deliveries in progress.
	since, doubtful, pending Usage
	// during holds the deliveries and removals that ended while a read is in progress.
	during  Usage
	reading bool
	// failures counts the reads that failed, and failure is the error of the last one.
	failures int
	failure  error
	// everywhere is the last look at every datacenter before a refusal.
	everywhere look
}

// look is the usage in every datacenter, or the reason why the usage is unknown.
type look struct {
	until time.Time     // the look counts until then
	age   time.Duration // for which the look counts
	// known are the limits of the callers for which the look counts, and limits the limits that were read.
	known, limits mail.Limits
	usage         Usage
	err           error
}

func newEntry() *entry { return &entry{turn: make(chan struct{}, 1)} }

// take waits for the turn. Errors: store.ErrUnavailable, at the end of ctx.
func (e *entry) take(ctx context.Context) error {
	select {
	case e.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrUnavailable, context.Cause(ctx))
	}
}

func (e *entry) release() { <-e.turn }

// age returns the time since the begin of the last read, and the duration of the read. ok is false
// without a read, and after a clock went back.
func (e *entry) age(now time.Time) (age, took time.Duration, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	age = now.Sub(e.began)
	return age, e.took, e.reads > 0 && age >= 0
}

func (e *entry) beginRead() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reading, e.during = true, Usage{}
}

// failRead ends a read without a result. shared, if not nil, is the error for callers that wait for the read.
func (e *entry) failRead(shared error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reading = false
	if shared != nil {
		e.failures++
		e.failure = shared
	}
}

// failed returns the count of failed reads, and the last error.
func (e *entry) failed() (n int, last error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failures, e.failure
}

func (e *entry) endRead(u Usage, began time.Time, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.base, e.began, e.took = u, began, took
	e.since, e.doubtful, e.during = Usage{}, e.during, Usage{}
	e.reading = false
	e.reads++
}

// fits reports whether one more message stays within the limits; with reserve a message that fits becomes
// pending. sure reports that a message that does not fit exceeds the limits by changes that are surely
// stored. read is the number of the last read.
func (e *entry) fits(l mail.Limits, octets int64, reserve bool) (ok, sure bool, read int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	need := Usage{octets, 1}
	certain := e.base.plus(e.since)
	if certain.plus(e.doubtful).plus(e.pending).plus(need).within(l.Octets, l.Messages) {
		if reserve {
			e.pending = e.pending.plus(need)
		}
		return true, false, e.reads
	}
	return false, !certain.plus(need).within(l.Octets, l.Messages), e.reads
}

// settle ends a pending delivery that began after read reads, and returns the usage before and after.
func (e *entry) settle(octets int64, stored bool, read int) (before, after Usage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := Usage{octets, 1}
	e.pending = e.pending.minus(u)
	before = e.base.plus(e.since).plus(e.doubtful)
	if !stored {
		return before, before
	}
	if read == e.reads {
		e.since = e.since.plus(u)
	} else {
		e.doubtful = e.doubtful.plus(u)
	}
	if e.reading {
		e.during = e.during.plus(u)
	}
	return before, before.plus(u)
}

// removed notes removals.
func (e *entry) removed(u Usage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.since = e.since.minus(u)
	if e.reading {
		e.during = e.during.minus(u)
	}
}

// usage returns the usage without pending deliveries. No part is negative.
func (e *entry) usage() Usage {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.base.plus(e.since).plus(e.doubtful)
	return Usage{max(u.Octets, 0), max(u.Messages, 0)}
}

// seen returns the last look at every datacenter; false if the look is too old, or under other limits.
func (e *entry) seen(known mail.Limits, now time.Time) (look, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.everywhere
	return l, l.known == known && now.Before(l.until) && l.until.Sub(now) <= l.age
}

func (e *entry) noteLook(l look) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.everywhere = l
}
