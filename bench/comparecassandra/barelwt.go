package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Pauses before another try for a number: the usual pause of such stores at first, twice as long
// each time, up to a bound.
const (
	firstBackoff = 10 * time.Millisecond
	lastBackoff  = time.Second
)

// takeNumbers takes a UID and a MODSEQ for one message, both at the same time.
func (w *bareWorker) takeNumbers(ctx context.Context, mailbox gocql.UUID) error {
	uid := make(chan error, 1)
	go func() { uid <- w.takeNumber(ctx, sequenceOf("next_uid"), mailbox) }()
	err := w.takeNumber(ctx, sequenceOf("next_modseq"), mailbox)
	return errors.Join(err, <-uid)
}

// takeNumber counts a sequence up by one: takeNumber reads the last number at SERIAL and sets the
// next number on the condition that the last number is still the same. takeNumber tries again after
// a conflict, and after a time-out, whose outcome is unknown: at worst a number is left out.
func (w *bareWorker) takeNumber(ctx context.Context, s sequence, mailbox gocql.UUID) error {
	for wait := firstBackoff; ; wait = min(2*wait, lastBackoff) {
		applied, err := w.tryNumber(ctx, s, mailbox)
		switch {
		case err == nil && applied:
			return nil
		case err == nil:
			w.count.conflicts.Add(1)
		case timedOut(err):
			w.count.timeouts.Add(1)
		default:
			return err
		}
		if !pause(ctx, wait/2+rand.N(wait)) {
			return ctx.Err()
		}
	}
}

// tryNumber tries once.
func (w *bareWorker) tryNumber(ctx context.Context, s sequence, mailbox gocql.UUID) (applied bool, err error) {
	var last int64
	err = w.session.Query(s.read, mailbox).Consistency(gocql.Serial).ScanContext(ctx, &last)
	var set *gocql.Query
	switch {
	case errors.Is(err, gocql.ErrNotFound):
		set = w.session.Query(s.begin, mailbox)
	case err != nil:
		return false, err
	default:
		set = w.session.Query(s.next, last+1, mailbox, last)
	}
	return set.Consistency(gocql.LocalQuorum).SerialConsistency(gocql.Serial).MapScanCASContext(ctx, map[string]any{})
}

// timedOut reports whether a statement at SERIAL failed for lack of time.
func timedOut(err error) bool {
	var read *gocql.RequestErrReadTimeout
	var write *gocql.RequestErrWriteTimeout
	var unknown *gocql.RequestErrCASWriteUnknown
	return errors.As(err, &read) || errors.As(err, &write) || errors.As(err, &unknown) || errors.Is(err, gocql.ErrTimeoutNoResponse)
}
