package cluster

import (
	"cmp"
	"slices"
	"time"

	"popelago/store/cassandra/driver"
)

// Goroutines that begin statements at the same moment run in an order that nobody decides, and so do goroutines that
// get answers at the same moment. With Config.Serial each statement waits until the moment is over. Then the agenda
// sorts the statements by their texts and values, and lets one through, or answers one, each at a moment of its own:
// what a goroutine does between two statements runs while no other goroutine runs, as a rule.

// turn is a statement that waits.
type turn struct {
	at     int64 // when it began
	key    uint64
	server string
	st     *driver.Statement
	held   bool          // the server was held meanwhile
	let    chan struct{} // has room for one; gets a value when the statement may go on
}

// awaitTurn returns when a statement of a server has its turn, and whether the server was held meanwhile. The lock
// is not held.
func (c *Cluster) awaitTurn(server string, st *driver.Statement) (held bool) {
	if !c.config.Serial {
		return false
	}
	t := &turn{key: st.Key(server), server: server, st: st}
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return false
	}
	t.at, t.held, t.let = c.now(), c.held[server], c.bell()
	c.turns = append(c.turns, t)
	looks := t.at+1 < c.wakeAt
	c.wakeAt = min(c.wakeAt, t.at+1)
	c.mu.Unlock()
	if looks {
		c.lookNext()
	}
	<-t.let
	c.mu.Lock()
	c.bells = append(c.bells, t.let)
	c.mu.Unlock()
	return t.held
}

// lookNext looks at the agenda at the next moment, in place of run: it costs less than to wake run.
func (c *Cluster) lookNext() {
	time.Sleep(time.Nanosecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return
	}
	c.happen()
	at := c.wakeAt
	c.wakeAt = c.timerAt
	c.stir(at)
}

// bell returns a channel with room for one value.
func (c *Cluster) bell() chan struct{} {
	n := len(c.bells)
	if n == 0 {
		return make(chan struct{}, 1)
	}
	b := c.bells[n-1]
	c.bells = c.bells[:n-1]
	return b
}

// Hold keeps back the statements of a server, and the answers to them, until Release: the machine of the server
// stands still. A statement that was kept back is sent after Release, whatever has become of its context: the timers
// of the machine stand still, too. Only with Config.Serial.
func (c *Cluster) Hold(server string) {
	c.lock()
	defer c.mu.Unlock()
	c.held[server] = true
	for _, t := range c.turns {
		t.held = t.held || t.server == server
	}
}

// Release ends Hold.
func (c *Cluster) Release(server string) {
	c.lock()
	defer c.mu.Unlock()
	delete(c.held, server)
	c.stir(c.now() + 1)
}

// keptBack reports whether the server of a request is held.
func (c *Cluster) keptBack(r *request) bool { return c.held[r.session.server.name] }

// waits reports whether a statement or an answer of a server that is not held waits.
func (c *Cluster) waits() bool {
	if len(c.held) == 0 {
		return len(c.turns) > 0 || len(c.answers) > 0
	}
	return slices.ContainsFunc(c.turns, func(t *turn) bool { return !c.held[t.server] }) ||
		slices.ContainsFunc(c.answers, func(r *request) bool { return !c.keptBack(r) })
}

// answer gives a request its reply, at a moment of its own.
func (c *Cluster) answer(r *request) {
	if !c.config.Serial || c.over {
		r.done <- struct{}{}
		return
	}
	c.answers = append(c.answers, r)
	c.stir(c.now() + 1)
}

// wakeOne lets one statement through, or answers one, that began before this moment. It reports whether it did.
func (c *Cluster) wakeOne(now int64) bool {
	for i, r := range c.answers {
		if len(c.held) == 0 || !c.keptBack(r) {
			c.answers = slices.Delete(c.answers, i, i+1)
			r.done <- struct{}{}
			return true
		}
	}
	var first *turn
	for _, t := range c.turns {
		if (len(c.held) == 0 || !c.held[t.server]) && (first == nil || cmp.Or(cmp.Compare(t.at, first.at), cmp.Compare(t.key, first.key)) < 0) {
			first = t
		}
	}
	if first == nil || first.at >= now {
		return false
	}
	c.turns = slices.Delete(c.turns, slices.Index(c.turns, first), slices.Index(c.turns, first)+1)
	if c.config.Turn != nil {
		c.config.Turn(first.server, first.st, first.key)
	}
	first.let <- struct{}{}
	return true
}

// wakeAll lets all go on: the cluster ends.
func (c *Cluster) wakeAll() {
	c.over = true
	for _, r := range c.answers {
		r.done <- struct{}{}
	}
	for _, t := range c.turns {
		t.let <- struct{}{}
	}
	c.answers, c.turns = nil, nil
}
