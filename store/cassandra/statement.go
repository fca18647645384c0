package cassandra

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// statement is CQL with its values, how to execute it, and what it is for in one phrase for
// errors, such as "add message X". All our statements are idempotent.
type statement struct {
	cql         string
	values      []any
	consistency gocql.Consistency
	what        string
	// impatient: a time-out is not tried again at another node, because the caller then asks for
	// less.
	impatient bool
}

// attempts is the retry policy of one execution: another node, a few times. It remembers
// whether any of the attempts may have written something, which the error of the last one
// does not tell.
type attempts struct {
	limit     int
	impatient bool
	all       bool // every replica is needed: another node knows no better who is away
	unknown   atomic.Bool
}

// Attempt implements gocql.RetryPolicy.
func (a *attempts) Attempt(q gocql.RetryableQuery) bool {
	return q.Attempts() <= a.limit && q.Context().Err() == nil
}

// GetRetryType implements gocql.RetryPolicy.
func (a *attempts) GetRetryType(err error) gocql.RetryType {
	if mayBeWritten(err) {
		a.unknown.Store(true)
	}
	if hopeless(err) || a.impatient && timedOut(err) || a.all && blocks(err) {
		return gocql.Rethrow
	}
	return gocql.RetryNextHost
}

// class is what the statement is for: what asks every replica is background work.
func (st statement) class() class {
	if st.consistency == gocql.All {
		return background
	}
	return foreground
}

// enter says that a statement begins; it must be followed by leave. It fails after Close, after
// the end of the context, and when too many others are under way, before anything is sent.
func (s *engine) enter(ctx context.Context, what string) error {
	return s.enterAs(ctx, what, foreground)
}

func (s *engine) leave() { s.leaveAs(foreground) }

// enterAs is enter for what is not second; leaveAs must follow.
func (s *engine) enterAs(ctx context.Context, what string, c class) error {
	err := ctx.Err()
	if err == nil {
		err = s.limit.take(ctx, c)
	}
	switch {
	case errors.Is(err, store.ErrClosed):
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	case errors.Is(err, errOverloaded):
		s.metrics.overloaded.Inc()
		fallthrough
	case err != nil:
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
	}
	s.life.RLock()
	if s.closed {
		s.leaveAs(c)
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	}
	return nil
}

// tryEnterAs is enterAs for what does not wait.
func (s *engine) tryEnterAs(c class) bool {
	if !s.limit.try(c) {
		return false
	}
	if !s.life.TryRLock() {
		s.limit.release(c)
		return false
	}
	if s.closed {
		s.leaveAs(c)
		return false
	}
	return true
}

func (s *engine) leaveAs(c class) {
	s.life.RUnlock()
	s.limit.release(c)
}

func (s *engine) query(st statement) (*gocql.Query, *attempts) {
	a := &attempts{limit: s.cfg.Retries, impatient: st.impatient, all: st.consistency == gocql.All}
	q := s.session().Query(st.cql, st.values...).Consistency(st.consistency).Idempotent(true).RetryPolicy(a)
	return q, a
}

// exec executes a statement that writes.
func (s *engine) exec(ctx context.Context, st statement) error {
	if err := s.enterAs(ctx, st.what, st.class()); err != nil {
		return err
	}
	defer s.leaveAs(st.class())
	q, a := s.query(st)
	err := q.ExecContext(ctx)
	return s.writeError(st.what, err, a.unknown.Load())
}

// execBatch executes one statement for several sets of values, all in one partition, at once.
// The values of st are not used.
func (s *engine) execBatch(ctx context.Context, st statement, values [][]any) error {
	if err := s.enterAs(ctx, st.what, st.class()); err != nil {
		return err
	}
	defer s.leaveAs(st.class())
	a := &attempts{limit: s.cfg.Retries}
	b := s.session().Batch(gocql.UnloggedBatch).Consistency(st.consistency).RetryPolicy(a).DefaultTimestamp(false)
	b.Entries = make([]gocql.BatchEntry, len(values))
	for i := range values {
		b.Entries[i] = gocql.BatchEntry{Stmt: st.cql, Args: values[i], Idempotent: true}
	}
	err := b.ExecContext(ctx)
	return s.writeError(st.what, err, a.unknown.Load())
}

// page is where to read on; nil for the first page.
type page []byte

// read executes a statement that reads and calls row for each row of one page of up to size
// rows. row scans and must not execute anything. The page returned is nil behind the last.
func (s *engine) read(ctx context.Context, st statement, size int, from page, row func(scan func(...any) error) error) (page, error) {
	rows, err := s.fetch(ctx, st, size, from)
	if err != nil {
		return nil, err
	}
	next := rows.PageState()
	scanner := rows.Scanner()
	for scanner.Next() {
		if err := row(scanner.Scan); err != nil {
			_ = scanner.Err()
			return nil, s.readError(st.what, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, s.readError(st.what, err)
	}
	if len(next) == 0 {
		return nil, nil
	}
	return page(next), nil
}

// readAll is read for all pages.
func (s *engine) readAll(ctx context.Context, st statement, size int, row func(scan func(...any) error) error) error {
	var from page
	for {
		next, err := s.read(ctx, st, size, from, row)
		if err != nil || next == nil {
			return err
		}
		from = next
	}
}

// readOne reads a single row, if there is one.
func (s *engine) readOne(ctx context.Context, st statement, dest ...any) (found bool, err error) {
	_, err = s.read(ctx, st, 2, nil, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	})
	return found, err
}
