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
	for _, p := range []*peer{from, to} {
		if p.slow > 1 {
			wait = time.Duration(float64(wait) * p.slow)
		}
	}
	if c.config.Tail > 0 && from != to && c.config.Random.IntN(1_000_000) < c.config.Tail {
		wait += time.Duration(c.config.Random.Int64N(int64(2 * c.config.TailTime)))
	}
	if g := c.config.Grain; g > 1 {
		wait = (wait + g - 1) / g * g
	}
	return wait
}

// open reports whether messages pass from one place to another.
func (c *Cluster) open(from, to *peer) bool {
	if len(c.cuts) == 0 || from == to {
		return true
	}
	return !c.cuts[[2]string{from.name, to.name}] && !c.cuts[[2]string{from.name, to.datacenter}] &&
		!c.cuts[[2]string{from.datacenter, to.name}] && !c.cuts[[2]string{from.datacenter, to.datacenter}]
}

// linked reports whether messages pass in both directions.
func (c *Cluster) linked(a, b *peer) bool { return c.open(a, b) && c.open(b, a) }

// send sends a message to a node. It is lost on a cut line and at a node that does not run, waits while the node
// is paused, and is dropped when it has waited for longer than expires.
func (c *Cluster) send(from *peer, to *node, expires time.Duration, do func()) {
	c.counters.Messages++
	if !c.open(from, &to.peer) || from != &to.peer && c.lost() {
		c.counters.Lost++
		return
	}
	sent, life := c.now(), to.life
	c.after(c.latency(from, &to.peer), func() {
		if !to.running || to.life != life || !c.open(from, &to.peer) {
			c.counters.Lost++
			return
		}
		if to.paused {
			to.waiting = append(to.waiting, func() {
				if c.now()-sent < int64(expires) {
					do()
				}
			})
			return
		}
		do()
	})
}

func (c *Cluster) lost() bool {
	return c.config.Loss > 0 && c.config.Random.IntN(1_000_000) < c.config.Loss
}
