package cluster

import (
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// write is a write in progress at a coordinator.
type write struct {
	cluster     *Cluster
	coordinator *node
	life        int
	level       gocql.Consistency
	kind        string
	need        need
	mutation    *mutation
	replicas    []*node
	acked       []*node
	hinted      []*node
	failed      int
	deadline    deadline
	ackSpace    [6]*node
	open        bool // the caller waits
	done        func(err error)
}

// startWrite executes a request that writes.
func (c *Cluster) startWrite(r *request) {
	m, err := r.mutation()
	if err != nil {
		c.respond(r, result{}, err)
		return
	}
	replicas := c.ring.replicasOf(r.plan.keyspace, m.parts[0].token)
	needed, ok := needOf(r.consistency, r.plan.keyspace, replicas, r.node.datacenter)
	if !ok {
		c.respond(r, result{}, invalid("writes at %s are not simulated", r.consistency))
		return
	}
	if err := c.assure(r, needed, replicas); err != nil {
		c.respond(r, result{}, err)
		return
	}
	c.counters.Writes++
	w := &write{
		cluster: c, coordinator: r.node, life: r.life, level: r.consistency, kind: "SIMPLE", need: needed, mutation: m, replicas: replicas, open: true,
		done: func(err error) { c.respond(r, result{}, err) },
	}
	if r.batch {
		w.kind = "UNLOGGED_BATCH"
	}
	w.acked = w.ackSpace[:0]
	w.start()
}

// mutation builds the mutation of a request.
func (r *request) mutation() (*mutation, error) {
	now := r.node.moment()
	var merged *partition
	for i, values := range r.values {
		key := r.key
		if i > 0 {
			key = ""
		}
		p, err := r.plan.write(values, now, key, r.token)
		switch {
		case err != nil:
			return nil, err
		case merged == nil:
			merged = p
		case merged.key != p.key:
			return nil, invalid("a batch over several partitions is not simulated, in: %s", r.plan.cql)
		default:
			merged.apply(p, nil)
		}
	}
	if merged == nil {
		return nil, invalid("an empty batch")
	}
	return &mutation{r.plan.table, []*partition{merged}}, nil
}

// assure returns an error if the coordinator takes too few replicas for alive.
func (c *Cluster) assure(r *request, needed need, replicas []*node) error {
	if c.sights.all == nil {
		if _, enough := needed.counts(replicas); enough {
			return nil
		}
	}
	alive := c.living[:0]
	for _, n := range replicas {
		if c.alive(r.node, n) {
			alive = append(alive, n)
		}
	}
	c.living = alive
	found, enough := needed.counts(alive)
	if enough {
		return nil
	}
	c.counters.Unavailable++
	return unavailable(r.consistency, needed.total, found)
}

// start sends the mutation to all replicas. Replicas that count as dead get a hint.
func (w *write) start() {
	c := w.cluster
	for _, n := range w.replicas {
		if !c.alive(w.coordinator, n) {
			w.hinted = append(w.hinted, n)
			w.coordinator.hint(n, w.mutation)
			continue
		}
		c.post(message{from: &w.coordinator.peer, to: n, expires: c.config.WriteTimeout, handler: w, content: content{replica: n}})
	}
	c.writes.start(&w.deadline, w)
}

// handle executes the mutation at a replica, or counts the answer of a replica.
func (w *write) handle(m content) {
	n := m.replica
	if m.answers {
		w.ack(n, m.failed)
		return
	}
	if !n.failing {
		n.apply(w.mutation)
	}
	w.cluster.post(message{
		from: &n.peer, to: w.coordinator, expires: w.cluster.config.WriteTimeout, handler: w,
		content: content{replica: n, answers: true, failed: n.failing},
	})
}

// ack counts the answer of a replica.
func (w *write) ack(n *node, failed bool) {
	if !w.current() || w.deadline.waiter == nil {
		return
	}
	if failed {
		w.failed++
	} else {
		w.acked = append(w.acked, n)
	}
	if len(w.acked) == len(w.replicas) {
		w.deadline.waiter = nil
	}
	if !w.open {
		return
	}
	if found, enough := w.need.counts(w.acked); enough {
		w.open = false
		w.done(nil)
	} else if w.failed > 0 && w.hopeless() {
		w.open = false
		w.done(writeFailure(w.level, found, w.need.total, w.failed, w.kind))
	}
}

// hopeless reports whether failures leave too few replicas.
func (w *write) hopeless() bool {
	return len(w.replicas)-w.failed < w.need.total
}

// current reports whether the coordinator still lives as it did when the write began.
func (w *write) current() bool { return w.coordinator.running && w.coordinator.life == w.life }

// expire ends the wait for replicas. Those that did not answer get a hint.
func (w *write) expire() {
	if !w.current() {
		return
	}
	for _, n := range w.replicas {
		if !slices.Contains(w.acked, n) && !slices.Contains(w.hinted, n) {
			w.coordinator.hint(n, w.mutation)
		}
	}
	if w.open {
		w.open = false
		w.cluster.counters.WriteTimeouts++
		found, _ := w.need.counts(w.acked)
		w.done(writeTimeout(w.level, found, w.need.total, w.kind))
	}
}

// truncate empties a table on all nodes.
func (c *Cluster) truncate(r *request) {
	for _, n := range c.nodes {
		if !n.running {
			c.respond(r, result{}, unavailable(gocql.All, len(c.nodes), 0))
			return
		}
	}
	for _, n := range c.nodes {
		if n.data.journal != nil {
			n.data.journal.sync()
		}
		n.data.drop(r.plan.table.id)
	}
	c.respond(r, result{}, nil)
}
