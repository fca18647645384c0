package cassandra

import (
	"context"
	"errors"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// hedged calls attempt, and once more with again = true if the first call takes longer than
// delay and another() agrees. The first success counts and ends the context of the other call;
// an error counts only when no call is under way any more, and then that of the first does.
// The calls may outlast this one.
//
// The driver has the like, but takes the first answer for the result, even if it is an error.
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
	for underWay := 1; ; {
		select {
		case r := <-results:
			if underWay--; r.err == nil || underWay == 0 && (failed.err == nil || !r.again) {
				return r.value, r.err
			} else if underWay == 0 {
				return failed.value, failed.err
			}
			failed = r
		case <-patience.C:
			if another() {
				underWay++
				go call(true)
			}
		case <-ctx.Done():
			return failed.value, ctx.Err()
		}
	}
}

// fetch reads one page. A read of the local datacenter is hedged: another node gets it, too, if
// the first one lets us wait.
func (s *engine) fetch(ctx context.Context, st statement, size int, from page) (*gocql.Iter, error) {
	c := st.class()
	if err := s.enterAs(ctx, st.what, c); err != nil {
		return nil, err
	}
	ask := func(ctx context.Context, c class) (*gocql.Iter, error) {
		defer s.leaveAs(c)
		q, _ := s.query(st)
		rows := q.PageSize(size).Prefetch(0).PageState(from).IterContext(ctx)
		if rows.NumRows() > 0 {
			return rows, nil
		}
		return rows, rows.Close()
	}
	if s.cfg.SpeculativeDelay <= 0 || st.consistency != gocql.LocalQuorum {
		rows, err := ask(ctx, c)
		return rows, s.readError(st.what, err)
	}
	hosts := &tried{}
	another := func() bool { return s.tryEnterAs(second) }
	rows, err := hedged(ctx, s.cfg.SpeculativeDelay, another, func(ctx context.Context, again bool) (*gocql.Iter, error) {
		if !again {
			return ask(context.WithValue(ctx, triedKey{}, asking{hosts, false}), c)
		}
		rows, err := ask(context.WithValue(ctx, triedKey{}, asking{hosts, true}), second)
		if !errors.Is(err, gocql.ErrNoConnections) { // there was another node
			s.metrics.hedged.Inc()
		}
		return rows, err
	})
	return rows, s.readError(st.what, err)
}

// tried is which nodes the attempts at one read went to, by address.
type tried struct {
	mu    sync.Mutex
	hosts map[string]bool
}

// triedKey is what the context of an attempt keeps its asking under.
type triedKey struct{}

type asking struct {
	*tried
	elsewhere bool // never ask a node twice
}

// admits reports whether a node may be asked, and remembers it.
func (a asking) admits(host string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.elsewhere && a.hosts[host] {
		return false
	}
	if a.hosts == nil {
		a.hosts = map[string]bool{}
	}
	a.hosts[host] = true
	return true
}

// elsewhere is a policy that keeps the second attempt at a read away from nodes that the first
// went to.
//
// The driver tells a token-aware policy of a new schema through an interface that is not
// exported, which this one lacks. It then calls KeyspaceChanged for each keyspace that is new or
// is replicated differently instead, and the policy knows the same replicas afterwards.
type elsewhere struct{ gocql.HostSelectionPolicy }

// AddHosts implements an optional interface of the driver, which would otherwise make a new
// token ring for each node.
func (e elsewhere) AddHosts(hosts []*gocql.HostInfo) {
	if p, ok := e.HostSelectionPolicy.(interface{ AddHosts([]*gocql.HostInfo) }); ok {
		p.AddHosts(hosts)
		return
	}
	for _, h := range hosts {
		e.AddHost(h)
	}
}

// Pick implements gocql.HostSelectionPolicy.
func (e elsewhere) Pick(st gocql.ExecutableStatement) gocql.NextHost {
	next := e.HostSelectionPolicy.Pick(st)
	q, ok := st.(gocql.RetryableQuery)
	if !ok {
		return next
	}
	a, ok := q.Context().Value(triedKey{}).(asking)
	if !ok {
		return next
	}
	return func() gocql.SelectedHost {
		for {
			host := next()
			if host == nil || host.Info() == nil || a.admits(host.Info().ConnectAddress().String()) {
				return host
			}
		}
	}
}
