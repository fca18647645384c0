package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	tracespan "popelago/span"
	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
)

// runner executes statements: within the limit, with retries at other nodes, and with errors of
// package store. Safe for concurrent use.
type runner struct {
	look       func() (s driver.Session, confirmed bool) // see link.look
	retries    int                                       // see Config.Retries
	hedgeAfter time.Duration                             // see Config.SpeculativeDelay
	limit      *limit.Limiter
	metrics    *metrics

	inFlight gate
}

func newRunner(cfg Config, look func() (s driver.Session, confirmed bool), l *limit.Limiter, m *metrics) *runner {
	return &runner{look: look, retries: cfg.Retries, hedgeAfter: cfg.SpeculativeDelay, limit: l, metrics: m}
}

// close waits for the statements in flight, and fails all waiting and all later statements.
func (r *runner) close() {
	r.limit.Close()
	r.inFlight.close()
}

// isClosed reports whether close was called.
func (r *runner) isClosed() bool { return r.inFlight.isClosed() }

// ready returns the error that a statement would fail with before being sent, such as
// store.ErrClosed. Calls that send nothing use it.
func (r *runner) ready(ctx context.Context, what string) error {
	if err := r.enter(ctx, what, limit.Foreground); err != nil {
		return err
	}
	r.leave(limit.Foreground)
	return nil
}

// enter begins a statement of a class other than limit.Hedged; leave must follow. It fails after
// close, after the end of the context, and when too many statements are in flight. Nothing is sent
// then.
func (r *runner) enter(ctx context.Context, what string, c limit.Class) error {
	err := ctx.Err()
	if err == nil {
		err = r.limit.Take(ctx, c)
	}
	switch {
	case errors.Is(err, store.ErrClosed):
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	case errors.Is(err, store.ErrOverloaded):
		if c != limit.Early {
			r.metrics.overloaded.Inc()
		}
		return fmt.Errorf("cassandra: %s: %w", what, err)
	case err != nil:
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
	}
	if !r.inFlight.enter() {
		r.limit.Release(c)
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	}
	return nil
}

// tryEnter is enter without waiting. leave must follow if it returns true.
func (r *runner) tryEnter(c limit.Class) bool {
	if !r.limit.Try(c) {
		return false
	}
	if !r.inFlight.enter() {
		r.limit.Release(c)
		return false
	}
	return true
}

func (r *runner) leave(c limit.Class) {
	r.inFlight.leave()
	r.limit.Release(c)
}

// whileOpen calls do outside the limit, unless the runner is closed. close waits for do.
func (r *runner) whileOpen(do func()) {
	if r.inFlight.enter() {
		defer r.inFlight.leave()
		do()
	}
}

// unsent reports whether a read failed with err without being sent: too many statements are in flight, or the
// store is closed.
func unsent(err error) bool {
	return errors.Is(err, store.ErrOverloaded) || errors.Is(err, store.ErrClosed)
}

// aim returns the session in use now, and the consistency for a statement through it.
func (r *runner) aim(st statement) (driver.Session, gocql.Consistency) {
	session, confirmed := r.look()
	switch {
	case st.consistency != whenSent:
		return session, st.consistency
	case confirmed:
		return session, gocql.EachQuorum
	}
	return session, gocql.LocalQuorum
}

// prepare returns the statement to send at a consistency, and what decides about its retries.
func (r *runner) prepare(st statement, at gocql.Consistency) (*driver.Statement, *retry) {
	a := &retry{limit: r.retries, impatient: st.impatient, all: st.consistency == gocql.All}
	return &driver.Statement{CQL: st.cql, Values: st.values, Consistency: at, Retry: a.another}, a
}

// exec executes a statement that writes.
func (r *runner) exec(ctx context.Context, st statement) (err error) {
	ctx, work := tracespan.Start(ctx, "statement")
	work.Text("db.query.text", st.cql) // a constant with ? for the values
	defer func() { work.End(err) }()
	if err := r.enter(ctx, st.what, st.class()); err != nil {
		return err
	}
	defer r.leave(st.class())
	session, at := r.aim(st)
	send, a := r.prepare(st, at)
	_, err = session.Execute(ctx, send)
	return writeError(st.what, err, a.unknown.Load())
}

// execBatch executes one statement for several sets of values in one partition, as one batch.
// st.values is not used.
func (r *runner) execBatch(ctx context.Context, st statement, values [][]any) (err error) {
	ctx, work := tracespan.Start(ctx, "statement")
	work.Text("db.query.text", st.cql)
	work.Int("db.operation.batch.size", int64(len(values)))
	defer func() { work.End(err) }()
	if err := r.enter(ctx, st.what, st.class()); err != nil {
		return err
	}
	defer r.leave(st.class())
	a := &retry{limit: r.retries}
	session, at := r.aim(st)
	_, err = session.Execute(ctx, &driver.Statement{CQL: st.cql, Batch: values, Consistency: at, Retry: a.another})
	return writeError(st.what, err, a.unknown.Load())
}

// page is a position between two pages of a result; nil stands for the first page.
type page []byte

// read executes a statement that reads, and calls row for each row of one page of up to size rows.
// row scans and must not execute anything. The page returned is nil after the last row.
func (r *runner) read(ctx context.Context, st statement, size int, from page, row func(scan func(...any) error) error) (page, error) {
	ctx, work := tracespan.Start(ctx, "statement")
	work.Text("db.query.text", st.cql)
	rows, err := r.fetch(ctx, st, size, from)
	work.End(err)
	if err != nil {
		return nil, err
	}
	next := rows.Page()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			_ = rows.Close()
			return nil, readError(st.what, err)
		}
	}
	if err := rows.Close(); err != nil {
		return nil, readError(st.what, err)
	}
	if len(next) == 0 {
		return nil, nil
	}
	return page(next), nil
}

// readAll is read for all pages.
func (r *runner) readAll(ctx context.Context, st statement, size int, row func(scan func(...any) error) error) error {
	var from page
	for {
		next, err := r.read(ctx, st, size, from, row)
		if err != nil || next == nil {
			return err
		}
		from = next
	}
}

// readOne reads a single row, if there is one.
func (r *runner) readOne(ctx context.Context, st statement, dest ...any) (found bool, err error) {
	_, err = r.read(ctx, st, 2, nil, func(scan func(...any) error) error {
		found = true
		return scan(dest...)
	})
	return found, err
}
