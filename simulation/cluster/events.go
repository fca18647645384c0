package cluster

import (
	"container/heap"
	"time"
)

// event is something that happens at a moment.
type event struct {
	at  int64 // nanoseconds since the start of the cluster
	seq uint64
	do  func()
}

// agenda orders events by moment, and events of the same moment by when they were added.
type agenda struct {
	events []event
	seq    uint64
}

func (a *agenda) Len() int { return len(a.events) }
func (a *agenda) Less(i, j int) bool {
	if a.events[i].at != a.events[j].at {
		return a.events[i].at < a.events[j].at
	}
	return a.events[i].seq < a.events[j].seq
}
func (a *agenda) Swap(i, j int) { a.events[i], a.events[j] = a.events[j], a.events[i] }
func (a *agenda) Push(x any)    { a.events = append(a.events, x.(event)) }
func (a *agenda) Pop() any {
	n := len(a.events) - 1
	e := a.events[n]
	a.events[n] = event{}
	a.events = a.events[:n]
	return e
}

// now returns the nanoseconds since the start of the cluster.
func (c *Cluster) now() int64 { return int64(time.Since(c.start)) }

// after lets something happen later. The lock of the cluster is held then, as it is now.
func (c *Cluster) after(wait time.Duration, do func()) { c.at(c.now()+int64(wait), do) }

func (c *Cluster) at(moment int64, do func()) {
	c.agenda.seq++
	heap.Push(&c.agenda, event{moment, c.agenda.seq, do})
	if moment < c.wakeAt {
		c.wakeAt = moment
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// run makes the events happen until Close.
func (c *Cluster) run() {
	defer close(c.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c.mu.Lock()
		wait := c.happen()
		c.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-c.wake:
		case <-c.closed:
			return
		}
	}
}

// happen makes all events happen that are due, and returns the time until the next.
func (c *Cluster) happen() time.Duration {
	now := c.now()
	c.wakeAt = now // run looks again by itself
	for len(c.agenda.events) > 0 && c.agenda.events[0].at <= now {
		e := heap.Pop(&c.agenda).(event)
		e.do()
	}
	if len(c.agenda.events) == 0 {
		c.wakeAt = now + int64(time.Hour)
	} else {
		c.wakeAt = c.agenda.events[0].at
	}
	return time.Duration(c.wakeAt - now)
}

// deadlines holds the ends of waits of the same length, in order. One event stands for all.
type deadlines struct {
	cluster *Cluster
	wait    time.Duration
	list    []*deadline
	armed   bool
}

// deadline is the end of a wait. expired is nil after the wait has ended otherwise.
type deadline struct {
	at      int64
	expired func()
}

func (d *deadlines) add(expired func()) *deadline {
	one := &deadline{d.cluster.now() + int64(d.wait), expired}
	d.list = append(d.list, one)
	if !d.armed {
		d.arm()
	}
	return one
}

func (d *deadlines) arm() {
	d.armed = true
	d.cluster.at(d.list[0].at, d.pass)
}

func (d *deadlines) pass() {
	d.armed = false
	now := d.cluster.now()
	done := 0
	for done < len(d.list) && (d.list[done].at <= now || d.list[done].expired == nil) {
		if expired := d.list[done].expired; expired != nil {
			d.list[done].expired = nil
			expired()
		}
		done++
	}
	clear(d.list[:done])
	if d.list = d.list[done:]; len(d.list) > 0 && !d.armed {
		d.arm()
	}
}
