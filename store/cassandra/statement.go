package cassandra

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

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
}

// attempts is the retry policy of one execution: another node, a few times. It remembers
// whether any of the attempts may have written something, which the error of the last one
// does not tell.
type attempts struct {
	limit   int
	unknown atomic.Bool
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
	if hopeless(err) {
		return gocql.Rethrow
	}
	return gocql.RetryNextHost
}

// enter says that a statement begins; it must be followed by leave. It fails after Close, after
// the end of the context, and when too many others are under way, before anything is sent.
func (s *engine) enter(ctx context.Context, what string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
	}
	if err := s.takeSlot(ctx); err != nil {
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
	}
	s.life.RLock()
	if s.closed {
		s.leave()
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	}
	return nil
}

func (s *engine) leave() {
	s.life.RUnlock()
	<-s.slots
}

// errOverloaded says that a statement was given up because of those under way.
var errOverloaded = errors.New("too many statements are under way")

// takeSlot waits until one more statement may be under way.
func (s *engine) takeSlot(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
	}
	wait := time.NewTimer(s.cfg.QueueTime)
	defer wait.Stop()
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-wait.C:
		s.metrics.overloaded.Inc()
		return errOverloaded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *engine) query(st statement) (*gocql.Query, *attempts) {
	a := &attempts{limit: s.cfg.Retries}
	q := s.session().Query(st.cql, st.values...).Consistency(st.consistency).Idempotent(true).RetryPolicy(a)
	return q, a
}

// exec executes a statement that writes.
func (s *engine) exec(ctx context.Context, st statement) error {
	if err := s.enter(ctx, st.what); err != nil {
		return err
	}
	defer s.leave()
	q, a := s.query(st)
	err := q.ExecContext(ctx)
	return s.writeError(st.what, err, a.unknown.Load())
}

// execBatch executes one statement for several sets of values, all in one partition, at once.
// The values of st are not used.
func (s *engine) execBatch(ctx context.Context, st statement, values [][]any) error {
	if err := s.enter(ctx, st.what); err != nil {
		return err
	}
	defer s.leave()
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
	if err := s.enter(ctx, st.what); err != nil {
		return nil, err
	}
	defer s.leave()
	q, _ := s.query(st)
	rows := q.PageSize(size).Prefetch(0).PageState(from).IterContext(ctx)
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
