package cluster

import (
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// change changes nodes or lines under the lock.
func (c *Cluster) change(do func()) {
	c.lock()
	defer c.mu.Unlock()
	do()
	clear(c.passes)
	c.look()
}

// Crash ends the process of a node. Statements that it coordinates fail, and hints in its memory are lost.
// Without keepLog the machine ends too, and the writes since the last sync of the commit log are lost.
func (c *Cluster) Crash(name string, keepLog bool) {
	c.change(func() { c.mustNode(name).crash(keepLog) })
}

func (n *node) crash(keepLog bool) {
	if !n.running {
		return
	}
	n.running, n.paused = false, false
	n.life++
	n.waiting = nil
	n.restoreHints()
	if j := n.data.journal; j != nil && !keepLog {
		n.sync()
		j.undo()
	}
	for _, r := range n.requests.all() {
		if n.cluster.linked(&r.session.server.peer, &n.peer) {
			r.finish(result{}, gocql.ErrConnectionClosed)
		}
	}
}

// Restart starts the process of a node, unless the node is lost with its datacenter.
func (c *Cluster) Restart(name string) {
	c.change(func() { c.mustNode(name).restart() })
}

func (n *node) restart() {
	if n.running || n.gone {
		return
	}
	n.running = true
	n.life++
	n.begun = n.cluster.now()
	n.continueHints()
}

// Pause stops the process of a node. Its messages wait.
func (c *Cluster) Pause(name string) { c.change(func() { c.mustNode(name).paused = true }) }

// Resume continues the process of a node. Messages that waited for too long are dropped.
func (c *Cluster) Resume(name string) {
	c.change(func() {
		n := c.mustNode(name)
		n.paused = false
		waiting := n.waiting
		n.waiting = nil
		for _, do := range waiting {
			do()
		}
	})
}

// Slow multiplies the time of all messages to and from a node. A factor of 1 ends it.
func (c *Cluster) Slow(name string, factor float64) {
	c.lock()
	defer c.mu.Unlock()
	c.mustNode(name).slow = factor
}

// Overload makes a node refuse all statements as a coordinator, or ends that.
func (c *Cluster) Overload(name string, refuses bool) {
	c.lock()
	defer c.mu.Unlock()
	c.mustNode(name).overloaded = refuses
}

// FailWrites makes a node fail all writes as a replica, as with a full disk, or ends that.
func (c *Cluster) FailWrites(name string, fails bool) {
	c.lock()
	defer c.mu.Unlock()
	c.mustNode(name).failing = fails
}

// Lose sets the share of messages that are lost, in parts per million.
func (c *Cluster) Lose(share int) {
	c.lock()
	defer c.mu.Unlock()
	c.config.Loss = share
}

// Tail sets the share of messages, in parts per million, that take much longer, see Config.
func (c *Cluster) Tail(share int) {
	c.lock()
	defer c.mu.Unlock()
	c.config.Tail = share
}

// Cut cuts the lines between two places: a place is a node, a server, or all nodes and servers of a
// datacenter.
func (c *Cluster) Cut(a, b string) {
	c.change(func() { c.cuts[[2]string{a, b}], c.cuts[[2]string{b, a}] = true, true })
}

// CutOneWay cuts the line from one place to another.
func (c *Cluster) CutOneWay(from, to string) {
	c.change(func() { c.cuts[[2]string{from, to}] = true })
}

// Heal undoes Cut and CutOneWay of the same places.
func (c *Cluster) Heal(a, b string) {
	c.change(func() {
		delete(c.cuts, [2]string{a, b})
		delete(c.cuts, [2]string{b, a})
	})
}

// HealAll mends all lines.
func (c *Cluster) HealAll() { c.change(func() { clear(c.cuts) }) }

// SetClock sets the clock of a node: ahead of the true time, and with a rate of 1, or another, or 0 if it
// stands still.
func (c *Cluster) SetClock(name string, ahead time.Duration, rate float64) {
	c.lock()
	defer c.mu.Unlock()
	c.mustNode(name).clock = clock{since: c.now(), base: time.Now().Add(ahead), rate: rate}
}

// Running reports whether a node runs and is not paused.
func (c *Cluster) Running(name string) bool {
	c.lock()
	defer c.mu.Unlock()
	return c.mustNode(name).ready()
}
