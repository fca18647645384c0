package cluster

import "time"

// event is something that happens at a moment: a message arrives, or a function is called.
type event struct {
	at      int64 // nanoseconds since the start of the cluster
	seq     uint64
	do      func()
	message *message
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// agenda orders events by moment, and events of the same moment by when they were added: a heap.
type agenda struct {
	events []event
	seq    uint64
}

func (a *agenda) add(e event) {
	a.seq++
	e.seq = a.seq
	a.events = append(a.events, e)
	i := len(a.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.before(&a.events[parent]) {
			break
		}
		a.events[i] = a.events[parent]
		i = parent
	}
	a.events[i] = e
}

// take removes the first event.
func (a *agenda) take() event {
	first := a.events[0]
	n := len(a.events) - 1
	last := a.events[n]
	a.events[n] = event{}
	a.events = a.events[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && a.events[child+1].before(&a.events[child]) {
			child++
		}
		if !a.events[child].before(&last) {
			break
		}
		a.events[i] = a.events[child]
		i = child
	}
	a.events[i] = last
	return first
}

// now returns the nanoseconds since the start of the cluster.
func (c *Cluster) now() int64 { return int64(time.Since(c.start)) }

// after lets something happen later. The lock of the cluster is held then, as it is now.
func (c *Cluster) after(wait time.Duration, do func()) { c.at(c.now()+int64(wait), do) }

func (c *Cluster) at(moment int64, do func()) { c.plan(event{at: moment, do: do}) }

// plan puts an event on the agenda.
func (c *Cluster) plan(e event) {
	c.agenda.add(e)
	c.stir(e.at)
}

// stir lets run look at the agenda at a moment.
func (c *Cluster) stir(at int64) {
	if at < c.wakeAt {
		c.wakeAt = at
		c.timer.Reset(time.Duration(at - c.now()))
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
		c.mu.Unlock()
		<-c.timer.C
	}
}

// happen makes all events happen that are due, and returns the time until the next.
func (c *Cluster) happen() time.Duration {
	now := c.now()
	c.wakeAt = now // run looks again by itself
	if c.wakeOne(now) {
		c.wakeAt = now + 1
		return 1
	}
	for len(c.agenda.events) > 0 && c.agenda.events[0].at <= now {
		if e := c.agenda.take(); e.message != nil {
			c.arrive(e.message)
		} else {
			e.do()
		}
	}
	if len(c.agenda.events) == 0 {
		c.wakeAt = now + int64(time.Hour)
	} else {
		c.wakeAt = c.agenda.events[0].at
	}
	if c.waits() {
		c.wakeAt = now + 1
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
	one := &deadline{}
	d.start(one, expired)
	return one
}

// start is add for a deadline that is part of something else.
func (d *deadlines) start(one *deadline, expired func()) {
	*one = deadline{d.cluster.now() + int64(d.wait), expired}
	d.list = append(d.list, one)
	if !d.armed {
		d.arm()
	}
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
