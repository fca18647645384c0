package cluster

import (
	"math"
	"time"
)

// event is something that happens at a moment: a message arrives, a request gets its answer, waits end, or a function
// is called.
type event struct {
	at      int64 // nanoseconds since the start of the cluster
	seq     uint64
	do      func()
	message *message
	reply   *request
	ends    *deadlines
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// agenda orders events by moment, and events of the same moment by when they were added. Inner events are those whose
// effects leave the cluster later, see Cluster.innerLag.
type agenda struct {
	inner, outer heap
	seq          uint64
}

func (a *agenda) add(h *heap, e event) {
	a.seq++
	e.seq = a.seq
	h.add(e)
}

// first returns the heap with the first event; nil without events.
func (a *agenda) first() *heap {
	switch inner, outer := a.inner.first(), a.outer.first(); {
	case inner == nil && outer == nil:
		return nil
	case outer == nil || inner != nil && inner.before(outer):
		return &a.inner
	default:
		return &a.outer
	}
}

// heap is a heap of events, the first on top.
type heap struct{ events []event }

// first returns the first event, which the next change of the heap moves; nil without events.
func (h *heap) first() *event {
	if len(h.events) == 0 {
		return nil
	}
	return &h.events[0]
}

func (h *heap) add(e event) {
	h.events = append(h.events, e)
	i := len(h.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&h.events[parent]) {
			break
		}
		h.events[i] = h.events[parent]
		i = parent
	}
	h.events[i] = e
}

// take removes the first event.
func (h *heap) take() event {
	first := h.events[0]
	n := len(h.events) - 1
	last := h.events[n]
	h.events[n] = event{}
	h.events = h.events[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h.events[child+1].before(&h.events[child]) {
			child++
		}
		if !h.events[child].before(&last) {
			break
		}
		h.events[i] = h.events[child]
		i = child
	}
	h.events[i] = last
	return first
}

// now returns the nanoseconds since the start of the cluster: while an event happens, the moment of the event.
func (c *Cluster) now() int64 {
	if c.happening {
		return c.moment
	}
	return int64(time.Since(c.start))
}

// after lets something happen later that ends a request. The lock of the cluster is held then, as it is now.
func (c *Cluster) after(wait time.Duration, do func()) {
	c.planOuter(event{at: c.now() + int64(wait), do: do})
}

// at lets something happen at a moment that ends no request. The lock of the cluster is held then, as it is now.
func (c *Cluster) at(moment int64, do func()) { c.planInner(event{at: moment, do: do}) }

// planInner puts an event on the agenda that ends no request.
func (c *Cluster) planInner(e event) {
	c.agenda.add(&c.agenda.inner, e)
	c.stir(e.at + c.innerLag)
}

// planOuter puts an event on the agenda that may end a request.
func (c *Cluster) planOuter(e event) {
	c.agenda.add(&c.agenda.outer, e)
	c.stir(e.at + c.outerLag)
}

// stir lets run look at the agenda at a moment.
func (c *Cluster) stir(at int64) {
	if at < c.wakeAt {
		c.wakeAt, c.timerAt = at, at
		c.timer.Reset(time.Duration(at - int64(time.Since(c.start))))
	}
}

// run makes the events happen until Close.
func (c *Cluster) run() {
	defer close(c.ended)
	defer c.timer.Stop()
	for {
		c.mu.Lock()
		if c.over {
			c.mu.Unlock()
			return
		}
		c.timer.Reset(c.happen())
		c.timerAt = c.wakeAt
		c.mu.Unlock()
		<-c.timer.C
	}
}

// Each wake-up of run costs more than most events do. So run sleeps until something may leave the cluster, and lets the
// events before happen then, in their order and each with its own moment for the time. A look at the cluster from outside
// lets them happen, too. An inner event has an effect outside only by an answer of a node, and a message takes time. With
// Config.Serial an answer is given at the moment after the event that brings it.
func (c *Cluster) setLags() {
	c.innerLag = int64(min(c.config.Near.Base, c.config.Far.Base))
	if c.config.Serial {
		c.outerLag = 1
	}
}

// lock locks the cluster for a look or a change from outside.
func (c *Cluster) lock() {
	c.mu.Lock()
	c.catchUp(int64(time.Since(c.start)))
}

// catchUp lets all events happen that are due before a moment.
func (c *Cluster) catchUp(end int64) {
	for {
		h := c.agenda.first()
		if h == nil {
			return
		}
		at := max(h.events[0].at, c.free)
		if at >= end {
			return
		}
		c.moment, c.happening = at, true
		c.let(h.take())
		c.happening = false
	}
}

// let lets an event happen.
func (c *Cluster) let(e event) {
	switch {
	case e.message != nil:
		c.arrive(e.message)
	case e.reply != nil:
		c.deliver(e.reply)
	case e.ends != nil:
		e.ends.pass()
	default:
		e.do()
	}
}

// happen lets all happen that is due, and returns the time until run must look again.
func (c *Cluster) happen() time.Duration {
	now := c.now()
	c.wakeAt = now // run looks again by itself
	c.catchUp(now)
	if now >= c.free && c.wakeOne(now) {
		c.free = now + 1
	} else {
		c.catchUp(now + 1)
	}
	if c.wakeAt = now + 1; !c.waits() {
		c.wakeAt = min(now+int64(time.Hour), c.agenda.inner.wake(c.free, c.innerLag), c.agenda.outer.wake(c.free, c.outerLag))
	}
	return time.Duration(c.wakeAt - now)
}

// wake returns the latest moment for the first event, some time after it is due. No event happens before free.
func (h *heap) wake(free, lag int64) int64 {
	for len(h.events) > 0 {
		e := &h.events[0]
		if e.ends == nil || !e.ends.putOff(h) {
			return max(e.at, free) + lag
		}
	}
	return math.MaxInt64
}
