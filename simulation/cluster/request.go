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
	done        chan struct{} // has room for one; gets a value when result and err are set
	answered    bool
	reply       reply    // counts once answered is set; before, it may be on the way from the node
	before      *request // of the same node, see requests
	after       *request
	one         [1][]value // has room for values
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
	r.timeout.waiter = nil
	r.node.requests.remove(r)
	r.reply = reply{result, err}
	r.session.cluster.answer(r)
}

// submit sends a request to its node.
func (c *Cluster) submit(r *request) {
	n, from := r.node, &r.session.server.peer
	r.life = n.life
	n.requests.add(r)
	c.clientDeadlines(r.session.server.timeout).start(&r.timeout, r)
	if !n.running && c.linked(from, &n.peer) {
		c.after(c.latency(from, &n.peer), func() { r.finish(result{}, gocql.ErrConnectionClosed) })
		return
	}
	c.post(message{from: from, to: n, expires: time.Hour, handler: r})
}

// handle executes the request at its node.
func (r *request) handle(content) { r.session.cluster.coordinate(r) }

// expire ends the wait for the node.
func (r *request) expire() { r.finish(result{}, gocql.ErrTimeoutNoResponse) }

func (c *Cluster) clientDeadlines(wait time.Duration) *deadlines {
	d := c.clients[wait]
	if d == nil {
		d = &deadlines{cluster: c, wait: wait, outer: true}
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
	r.reply = reply{res, err}
	c.planOuter(event{at: c.now() + int64(c.latency(&n.peer, to)), reply: r})
}

// deliver gives a request the answer that has arrived.
func (c *Cluster) deliver(r *request) {
	if !r.answered && c.open(&r.node.peer, &r.session.server.peer) {
		r.finish(r.reply.result, r.reply.err)
	}
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
