package cluster

import "time"

// deadlines holds the ends of waits of the same length, in order. One event stands for all.
type deadlines struct {
	cluster *Cluster
	wait    time.Duration
	outer   bool // the end of a wait ends a request
	list    []*deadline
	armed   bool
}

// deadline is the end of a wait. waiter is nil after the wait has ended otherwise.
type deadline struct {
	at     int64
	waiter waiter
}

// waiter is what waits. expire is called at the end.
type waiter interface{ expire() }

// wakeup is a waiter without more.
type wakeup func()

func (w wakeup) expire() { w() }

func (d *deadlines) add(expired func()) *deadline {
	one := &deadline{}
	d.start(one, wakeup(expired))
	return one
}

// start is add for a deadline that is part of something else.
func (d *deadlines) start(one *deadline, w waiter) {
	*one = deadline{d.cluster.now() + int64(d.wait), w}
	d.list = append(d.list, one)
	if !d.armed {
		d.arm()
	}
}

func (d *deadlines) arm() {
	d.armed = true
	if e := (event{at: d.list[0].at, ends: d}); d.outer {
		d.cluster.planOuter(e)
	} else {
		d.cluster.planInner(e)
	}
}

// pass ends the waits that are due.
func (d *deadlines) pass() {
	d.armed = false
	now := d.cluster.now()
	for d.skip(); len(d.list) > 0 && d.list[0].at <= now; d.skip() {
		w := d.list[0].waiter
		d.list[0].waiter = nil
		w.expire()
	}
	if len(d.list) > 0 && !d.armed {
		d.arm()
	}
}

// skip forgets the first waits that have ended.
func (d *deadlines) skip() {
	n := 0
	for n < len(d.list) && d.list[n].waiter == nil {
		n++
	}
	clear(d.list[:n])
	d.list = d.list[n:]
}

// putOff moves the event of deadlines, the first of a heap, to the next wait that has not ended. It reports whether it
// did.
func (d *deadlines) putOff(h *heap) bool {
	d.skip()
	if len(d.list) > 0 && d.list[0].at <= h.events[0].at {
		return false
	}
	h.take()
	if d.armed = false; len(d.list) > 0 {
		d.arm()
	}
	return true
}
