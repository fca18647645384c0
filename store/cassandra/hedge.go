package cassandra

import (
	"context"
	"errors"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
)

// hedged calls attempt. If the call takes longer than delay and another() agrees, hedged calls
// attempt a second time with again = true. The first success counts and ends the context of the
// other call. After two errors the error of the first call counts. Calls may outlast hedged.
//
// The driver's own speculative execution takes the first answer for the result, even an error.
func hedged[T any](ctx context.Context, delay time.Duration, another func() bool,
	attempt func(ctx context.Context, again bool) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
		again bool
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result, 2)
	call := func(again bool) {
		value, err := attempt(ctx, again)
		results <- result{value, err, again}
	}
	go call(false)
	patience := time.NewTimer(delay)
	defer patience.Stop()
	var failed result
	for inFlight := 1; ; {
		select {
		case r := <-results:
			if inFlight--; r.err == nil || inFlight == 0 && (failed.err == nil || !r.again) {
				return r.value, r.err
			} else if inFlight == 0 {
				return failed.value, failed.err
			}
			failed = r
		case <-patience.C:
			if another() {
				inFlight++
				go call(true)
			}
		case <-ctx.Done():
			return failed.value, ctx.Err()
		}
	}
}

// fetch reads one page. A read at LOCAL_QUORUM or LOCAL_ONE is hedged: if the first node is slow, a second node
// is asked too, through the same session and at the same consistency.
func (r *runner) fetch(ctx context.Context, st statement, size int, from page) (driver.Rows, error) {
	c := st.class()
	if err := r.enter(ctx, st.what, c); err != nil {
		return nil, err
	}
	session, at := r.aim(st)
	ask := func(ctx context.Context, c limit.Class, choice *driver.Choice) (driver.Rows, error) {
		defer r.leave(c)
		send, _ := r.prepare(st, at)
		send.PageSize, send.Page, send.Choice = size, from, choice
		return session.Execute(ctx, send)
	}
	if r.hedgeAfter <= 0 || at != gocql.LocalQuorum && at != gocql.LocalOne {
		rows, err := ask(ctx, c, nil)
		return rows, readError(st.what, err)
	}
	first, second := driver.NewChoices()
	another := func() bool { return r.tryEnter(limit.Hedged) }
	key := (&driver.Statement{CQL: st.cql, Values: st.values, Page: from}).Key("")
	apart := time.Duration(key % 1000) // different reads that began together want a place at different moments
	rows, err := hedged(ctx, r.hedgeAfter+apart, another, func(ctx context.Context, again bool) (driver.Rows, error) {
		if !again {
			return ask(ctx, c, first)
		}
		rows, err := ask(ctx, limit.Hedged, second)
		if !errors.Is(err, gocql.ErrNoConnections) { // a second node was there
			r.metrics.hedged.Inc()
		}
		return rows, err
	})
	return rows, readError(st.what, err)
}
