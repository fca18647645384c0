package cassandra

import (
	"context"
	"errors"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

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

// fetch reads one page. A read at LOCAL_QUORUM is hedged: if the first node is slow, a second node
// is asked too.
func (r *runner) fetch(ctx context.Context, st statement, size int, from page) (*gocql.Iter, error) {
	c := st.class()
	if err := r.enter(ctx, st.what, c); err != nil {
		return nil, err
	}
	ask := func(ctx context.Context, c limit.Class) (*gocql.Iter, error) {
		defer r.leave(c)
		q, _ := r.query(st)
		rows := q.PageSize(size).Prefetch(0).PageState(from).IterContext(ctx)
		if rows.NumRows() > 0 {
			return rows, nil
		}
		return rows, rows.Close()
	}
	if r.hedgeAfter <= 0 || st.consistency != gocql.LocalQuorum {
		rows, err := ask(ctx, c)
		return rows, readError(st.what, err)
	}
	hosts := &triedHosts{}
	another := func() bool { return r.tryEnter(limit.Hedged) }
	rows, err := hedged(ctx, r.hedgeAfter, another, func(ctx context.Context, again bool) (*gocql.Iter, error) {
		if !again {
			return ask(context.WithValue(ctx, hostChoiceKey{}, hostChoice{hosts, false}), c)
		}
		rows, err := ask(context.WithValue(ctx, hostChoiceKey{}, hostChoice{hosts, true}), limit.Hedged)
		if !errors.Is(err, gocql.ErrNoConnections) { // a second node was there
			r.metrics.hedged.Inc()
		}
		return rows, err
	})
	return rows, readError(st.what, err)
}

// triedHosts records the nodes asked by both calls of a hedged read, by address.
type triedHosts struct {
	mu    sync.Mutex
	hosts map[string]bool
}

// hostChoiceKey is the key of a hostChoice in the context of a read.
type hostChoiceKey struct{}

// hostChoice says which nodes one call of a hedged read may ask.
type hostChoice struct {
	*triedHosts
	untriedOnly bool
}

// admits reports whether the call may ask a node, and records the node.
func (c hostChoice) admits(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.untriedOnly && c.hosts[host] {
		return false
	}
	if c.hosts == nil {
		c.hosts = map[string]bool{}
	}
	c.hosts[host] = true
	return true
}

// untriedHosts is a policy that keeps the second call of a hedged read away from the nodes of the
// first call.
//
// The driver announces a new schema to a token-aware policy through an unexported interface, which
// untriedHosts lacks. Instead the driver calls KeyspaceChanged for each keyspace that is new or has
// a new replication; afterwards the policy knows the same replicas.
type untriedHosts struct{ gocql.HostSelectionPolicy }

// AddHosts implements an optional interface of the driver. Without AddHosts the driver would make a
// new token ring for each node.
func (u untriedHosts) AddHosts(hosts []*gocql.HostInfo) {
	if p, ok := u.HostSelectionPolicy.(interface{ AddHosts([]*gocql.HostInfo) }); ok {
		p.AddHosts(hosts)
		return
	}
	for _, h := range hosts {
		u.AddHost(h)
	}
}

// Pick implements gocql.HostSelectionPolicy.
func (u untriedHosts) Pick(st gocql.ExecutableStatement) gocql.NextHost {
	next := u.HostSelectionPolicy.Pick(st)
	q, ok := st.(gocql.RetryableQuery)
	if !ok {
		return next
	}
	c, ok := q.Context().Value(hostChoiceKey{}).(hostChoice)
	if !ok {
		return next
	}
	return func() gocql.SelectedHost {
		for {
			host := next()
			if host == nil || host.Info() == nil || c.admits(host.Info().ConnectAddress().String()) {
				return host
			}
		}
	}
}
