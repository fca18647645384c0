package cluster

import "time"

// latency returns the time of a message.
func (c *Cluster) latency(from, to *peer) time.Duration {
	l := c.config.Near
	switch {
	case from == to:
		l = c.config.Self
	case from.datacenter != to.datacenter:
		l = c.config.Far
	}
	wait := l.Base
	if l.Jitter > 0 {
		wait += min(time.Duration(float64(l.Jitter)*c.config.Random.ExpFloat64()), 20*l.Jitter)
	}
	wait = to.delay(from.delay(wait))
	if c.config.Tail > 0 && from != to && c.config.Random.IntN(1_000_000) < c.config.Tail {
		wait += time.Duration(c.config.Random.Int64N(int64(2 * c.config.TailTime)))
	}
	if g := c.config.Grain; g > 1 {
		wait = (wait + g - 1) / g * g
	}
	return wait
}

// delay returns the time of a message at a place.
func (p *peer) delay(wait time.Duration) time.Duration {
	if p.slow > 1 {
		return time.Duration(float64(wait) * p.slow)
	}
	return wait
}

// open reports whether messages pass from one place to another.
func (c *Cluster) open(from, to *peer) bool {
	if len(c.cuts) == 0 || from == to {
		return true
	}
	line := [2]*peer{from, to}
	open, known := c.passes[line]
	if !known {
		open = !c.cuts[[2]string{from.name, to.name}] && !c.cuts[[2]string{from.name, to.datacenter}] &&
			!c.cuts[[2]string{from.datacenter, to.name}] && !c.cuts[[2]string{from.datacenter, to.datacenter}]
		c.passes[line] = open
	}
	return open
}

// linked reports whether messages pass in both directions.
func (c *Cluster) linked(a, b *peer) bool { return c.open(a, b) && c.open(b, a) }

// message is a message to a node: a call of handler, or of do.
type message struct {
	from    *peer
	to      *node
	life    int // of the receiver
	sent    int64
	expires time.Duration
	handler handler
	content content
	do      func()
}

// handler handles messages of an exchange between a coordinator and replicas.
type handler interface{ handle(m content) }

// content is what a message says in an exchange.
type content struct {
	replica *node // the replica that is asked, or that answers
	answers bool
	round   int
	answer  *answer
	failed  bool
}

// send sends a message to a node. It is lost on a cut line and at a node that does not run, waits while the node
// is paused, and is dropped when it has waited for longer than expires.
func (c *Cluster) send(from *peer, to *node, expires time.Duration, do func()) {
	c.post(message{from: from, to: to, expires: expires, do: do})
}

func (c *Cluster) post(m message) {
	c.counters.Messages++
	if !c.open(m.from, &m.to.peer) || m.from != &m.to.peer && c.lost() {
		c.counters.Lost++
		return
	}
	m.sent, m.life = c.now(), m.to.life
	var kept *message
	if n := len(c.spare); n > 0 {
		kept, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		kept = new(message)
	}
	*kept = m
	c.planInner(event{at: m.sent + int64(c.latency(m.from, &m.to.peer)), message: kept})
}

// arrive takes a message from the line.
func (c *Cluster) arrive(m *message) {
	switch to := m.to; {
	case !to.running || to.life != m.life || !c.open(m.from, &to.peer):
		c.counters.Lost++
	case to.paused:
		to.waiting = append(to.waiting, func() {
			if c.now()-m.sent < int64(m.expires) {
				m.receive()
			}
		})
		return
	default:
		m.receive()
	}
	*m = message{}
	c.spare = append(c.spare, m)
}

func (m *message) receive() {
	if m.handler != nil {
		m.handler.handle(m.content)
	} else {
		m.do()
	}
}

func (c *Cluster) lost() bool {
	return c.config.Loss > 0 && c.config.Random.IntN(1_000_000) < c.config.Loss
}
