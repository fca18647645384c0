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
	c.lock()
	defer c.mu.Unlock()
	if s.closed {
		return nil, nil, gocql.ErrSessionClosed
	}
	p, err := c.prepare(st.CQL, s.options.Keyspace)
	if err != nil {
		return nil, nil, err
	}
	r = &request{session: s, plan: p, batch: st.Batch != nil, consistency: st.Consistency, pageSize: st.PageSize, page: st.Page}
	if err := r.bind(st); err != nil {
		return nil, nil, err
	}
	if p.table != nil && p.partition != nil && len(r.values) > 0 {
		if known, err := p.key(r.values[0]); err == nil { // the node refuses a wrong key
			r.key, r.token = known, murmur.Token([]byte(known))
		}
	}
	if first {
		*hosts = s.order(st, p, r.key, r.token)
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
	r.node, r.done = n, c.bell()
	c.submit(r)
	return r, n, nil
}

// bind encodes the values of a statement.
func (r *request) bind(st *driver.Statement) (err error) {
	if !r.batch {
		r.one[0], err = r.plan.bind(st.Values)
		r.values = r.one[:]
		return err
	}
	r.values = make([][]value, len(st.Batch))
	for i, set := range st.Batch {
		if r.values[i], err = r.plan.bind(set); err != nil {
			return err
		}
	}
	return nil
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
	var replicas []*node
	if key != "" {
		replicas = c.ring.replicasOf(p.keyspace, token)
	}
	c.shuffle(list, func(n *node) int {
		r := 0
		if !slices.Contains(replicas, n) {
			r = 2
		}
		if s.options.Rack != "" && n.rack != s.options.Rack {
			r++
		}
		return r
	})
	return list
}

// shuffle orders nodes by rank, and those of the same rank by chance.
func (c *Cluster) shuffle(list []*node, rank func(*node) int) {
	c.config.Random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	c.ranks = c.ranks[:0]
	for i, n := range list {
		r := rank(n)
		c.ranks = append(c.ranks, r)
		for ; i > 0 && c.ranks[i-1] > r; i-- { // the lists are short
			list[i], c.ranks[i] = list[i-1], c.ranks[i-1]
		}
		list[i], c.ranks[i] = n, r
	}
}

// await waits for the answer to a request.
func (s *session) await(ctx context.Context, r *request) reply {
	c := s.cluster
	select {
	case <-r.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bells = append(c.bells, r.done)
		return r.take()
	case <-ctx.Done():
		c.lock()
		if c.held[s.server.name] {
			c.mu.Unlock()
			<-r.done
			return r.take()
		}
		defer c.mu.Unlock()
		r.finish(result{}, ctx.Err())
		select {
		case <-r.done:
			return r.take()
		default:
			return reply{err: ctx.Err()} // the answer comes too late
		}
	}
}

// take returns the reply. The agenda keeps r for a while.
func (r *request) take() reply {
	got := r.reply
	r.reply = reply{}
	return got
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
