package cluster

import (
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// request is an attempt of a session to execute a statement at a node.
type request struct {
	session     *session
	node        *node
	life        int // of the node
	plan        *plan
	values      [][]value // of each statement of a batch, or of the one statement
	batch       bool
	consistency gocql.Consistency
	pageSize    int
	page        []byte
	timeout     deadline
	key         string // of the partition of the first values; empty: not known
	token       int64
	done        chan reply // has room for one
	answered    bool
	seq         int64 // counts requests
}

type reply struct {
	result result
	err    error
}

// finish ends a request for its session. Only the first end counts.
func (r *request) finish(result result, err error) {
	if r.answered {
		return
	}
	r.answered = true
	r.timeout.expired = nil
	delete(r.node.requests, r)
	r.session.cluster.answer(r, reply{result, err})
}

// submit sends a request to its node.
func (c *Cluster) submit(r *request) {
	n, from := r.node, &r.session.server.peer
	r.life = n.life
	n.requests[r] = struct{}{}
	c.clientDeadlines(r.session.server.timeout).start(&r.timeout, func() { r.finish(result{}, gocql.ErrTimeoutNoResponse) })
	if !n.running && c.linked(from, &n.peer) {
		c.after(c.latency(from, &n.peer), func() { r.finish(result{}, gocql.ErrConnectionClosed) })
		return
	}
	c.send(from, n, time.Hour, func() { c.coordinate(r) })
}

func (c *Cluster) clientDeadlines(wait time.Duration) *deadlines {
	d := c.clients[wait]
	if d == nil {
		d = &deadlines{cluster: c, wait: wait}
		c.clients[wait] = d
	}
	return d
}

// respond sends the answer of a coordinator to the session.
func (c *Cluster) respond(r *request, res result, err error) {
	n, to := r.node, &r.session.server.peer
	if r.answered || !n.running || n.life != r.life {
		return
	}
	if n.paused {
		n.waiting = append(n.waiting, func() { c.respond(r, res, err) })
		return
	}
	if !c.open(&n.peer, to) {
		c.counters.Lost++
		return
	}
	c.after(c.latency(&n.peer, to), func() {
		if c.open(&n.peer, to) {
			r.finish(res, err)
		}
	})
}

// coordinate executes a request at its node.
func (c *Cluster) coordinate(r *request) {
	if r.answered {
		return
	}
	c.counters.Statements++
	switch {
	case r.node.overloaded:
		c.respond(r, result{}, overloaded())
	case r.plan.system != nil:
		res, err := c.readSystem(r)
		c.respond(r, res, err)
	case r.plan.verb >= createKeyspaceVerb && r.plan.verb != truncateVerb:
		err := c.schema.change(r.plan.syntax, r.session.options.Keyspace)
		if err != nil {
			err = invalid("%v", err)
		}
		c.respond(r, result{}, err)
	case r.plan.verb == truncateVerb:
		c.truncate(r)
	case r.plan.verb == selectVerb:
		c.startRead(r)
	default:
		c.startWrite(r)
	}
}
