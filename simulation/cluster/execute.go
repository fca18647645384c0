package cluster

import (
	"context"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/murmur"
)

// Execute implements driver.Session.
func (s *session) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	var failed error
	var hosts []*node
	for attempts := 0; ; {
		if s.cluster.awaitTurn(s.server.name, st) {
			ctx = context.WithoutCancel(ctx) // the timers of the machine stood still, too
		}
		r, n, err := s.attempt(ctx, st, &hosts, attempts == 0)
		if err != nil {
			return nil, err
		}
		if r == nil {
			if failed == nil {
				failed = gocql.ErrNoConnections
			}
			return nil, failed
		}
		began := time.Now()
		got := s.await(ctx, r)
		attempts++
		s.observe(st, n, attempts-1, got, time.Since(began))
		if got.err == nil {
			return &rows{result: got.result}, nil
		}
		failed = got.err
		if ctx.Err() != nil || st.Once || st.Retry == nil || !st.Retry(ctx, attempts, failed) {
			return nil, failed
		}
	}
}

// attempt sends a statement to the next node; r is nil if there is none.
func (s *session) attempt(ctx context.Context, st *driver.Statement, hosts *[]*node, first bool) (r *request, n *node, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	c := s.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.closed {
		return nil, nil, gocql.ErrSessionClosed
	}
	p, err := c.prepare(st.CQL, s.options.Keyspace)
	if err != nil {
		return nil, nil, err
	}
	sets := st.Batch
	if sets == nil {
		sets = [][]any{st.Values}
	}
	values := make([][]value, len(sets))
	for i, set := range sets {
		if values[i], err = p.bind(set); err != nil {
			return nil, nil, err
		}
	}
	key, token := "", int64(0)
	if p.table != nil && p.partition != nil && len(values) > 0 {
		if known, err := p.key(values[0]); err == nil { // the node refuses a wrong key
			key, token = known, murmur.Token([]byte(known))
		}
	}
	if first {
		*hosts = s.order(st, p, key, token)
	}
	for len(*hosts) > 0 {
		n = (*hosts)[0]
		*hosts = (*hosts)[1:]
		if s.links[n].up(c.now()) && st.Choice.Admits(n.address) {
			break
		}
		n = nil
	}
	if n == nil {
		return nil, nil, nil
	}
	c.requests++
	r = &request{
		seq: c.requests, session: s, node: n, plan: p, values: values, batch: st.Batch != nil, consistency: st.Consistency,
		key: key, token: token, pageSize: st.PageSize, page: st.Page, done: make(chan reply, 1),
	}
	c.submit(r)
	return r, n, nil
}

// order lists the nodes in the order in which they are tried: replicas first, those of the rack before others.
func (s *session) order(st *driver.Statement, p *plan, key string, token int64) []*node {
	c := s.cluster
	if st.Node != "" {
		i := slices.IndexFunc(s.nodes, func(n *node) bool { return n.idText == st.Node })
		if i < 0 {
			return nil
		}
		return s.nodes[i : i+1]
	}
	list := slices.Clone(s.nodes)
	if len(list) < 2 {
		return list
	}
	c.config.Random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var replicas []*node
	if key != "" {
		replicas = c.ring.replicasOf(p.keyspace, token)
	}
	rank := func(n *node) int {
		r := 0
		if !slices.Contains(replicas, n) {
			r = 2
		}
		if s.options.Rack != "" && n.rack != s.options.Rack {
			r++
		}
		return r
	}
	sorted := make([]*node, 0, len(list))
	for r := range 4 {
		for _, n := range list {
			if rank(n) == r {
				sorted = append(sorted, n)
			}
		}
	}
	return sorted
}

// await waits for the answer to a request.
func (s *session) await(ctx context.Context, r *request) reply {
	select {
	case got := <-r.done:
		return got
	case <-ctx.Done():
		s.cluster.mu.Lock()
		if s.cluster.held[s.server.name] {
			s.cluster.mu.Unlock()
			return <-r.done
		}
		defer s.cluster.mu.Unlock()
		r.finish(result{}, ctx.Err())
		select {
		case got := <-r.done:
			return got
		default:
			return reply{err: ctx.Err()} // the answer comes too late
		}
	}
}

// observe reports an attempt.
func (s *session) observe(st *driver.Statement, n *node, attempt int, got reply, took time.Duration) {
	if s.options.Observe == nil || st.Quiet {
		return
	}
	values := st.Batch
	if values == nil {
		values = [][]any{st.Values}
	}
	s.options.Observe(driver.Attempt{
		CQL: st.CQL, Values: values, Idempotent: !st.Once, Batch: len(st.Batch), Consistency: st.Consistency.String(),
		Attempt: attempt, Host: n.address, Rows: len(got.result.rows), Took: took, Err: got.err,
	})
}
