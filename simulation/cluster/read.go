package cluster

import "strings"

// readCommand is what a coordinator asks of a replica.
type readCommand struct {
	table     *table
	key       string // of the partition to read
	token     int64
	scan      bool  // read the partitions of a run of the ring instead
	from      place // of a scan: where it begins
	to        int64 // of a scan: the last token
	intervals []interval
	reversed  bool
	full      bool // whole partitions: one with static columns only counts as a row
	// resumed is the partition in which the page before ended, after a position; it was counted there.
	resumed, after string
	resumes        bool
	limit          int   // highest count of live rows
	now            int64 // second, by the clock of the coordinator
	failAt         int   // count of tombstones that makes a read fail
	selected       func(token int64) bool
}

// answer is the answer of a replica.
type answer struct {
	parts      []*partition // in the order of the ring
	cut        *cut         // nil: the answer is complete
	tombstones int
	failed     bool
}

// nothing is the answer of a replica that has nothing. An answer never changes.
var nothing = &answer{}

// cut is where an answer ends because it has enough rows: after a position of a partition.
type cut struct {
	part     *partition
	position string
	reversed bool
}

// compare orders cuts by the order of reading.
func (a *cut) compare(b *cut) int {
	if c := ringOrder(a.part, b.part); c != 0 {
		return c
	}
	if a.reversed {
		return strings.Compare(b.position, a.position)
	}
	return strings.Compare(a.position, b.position)
}

// read executes a command at a replica.
func (s *storage) read(c *readCommand, purgeBefore int64) *answer {
	t := s.table(c.table.id)
	var p *partition
	if !c.scan {
		if p = t.parts[c.key]; p == nil {
			return nothing
		}
	}
	a := &answer{}
	r := &reading{command: c, answer: a, purge: purger{now: c.now, before: purgeBefore, repairedOnly: c.table.purgeRepairedOnly}}
	if p != nil {
		r.read(p)
		return a
	}
	for _, p := range t.from(c.from) {
		if p.token > c.to || r.done() {
			break
		}
		if c.selected == nil || c.selected(p.token) {
			r.read(p)
		}
	}
	return a
}

// reading is a read in progress at a replica.
type reading struct {
	command *readCommand
	answer  *answer
	purge   purger
	rows    int // live rows so far
}

func (r *reading) done() bool { return r.answer.cut != nil || r.answer.failed }

// read adds a partition to the answer.
func (r *reading) read(p *partition) {
	c := r.command
	if c.table.purgeRepairedOnly {
		r.purge.oldest = 0
	}
	out := newPartition(p.key, p.token)
	out.deleted = r.forget(p, p.deleted)
	staticAlive := false
	if p.static != nil {
		out.static = r.row(p, p.static)
		staticAlive = out.static != nil && out.static.isLive(c.now)
	}
	before := r.rows
	last := ""
	intervals := c.intervalsOf(p)
	for i := range intervals {
		v := intervals[i]
		if c.reversed {
			v = intervals[len(intervals)-1-i]
		}
		if last = r.readRows(p, out, v); r.done() {
			break
		}
	}
	if r.rows == before && staticAlive && c.full && !(c.resumes && c.resumed == p.key) {
		r.rows++
		if last = endOfPartition; c.reversed {
			last = ""
		}
	}
	r.finish(p, out, intervals, last)
}

// intervalsOf returns the intervals to read of a partition.
func (c *readCommand) intervalsOf(p *partition) []interval {
	if !c.resumes || c.resumed != p.key {
		return c.intervals
	}
	rest := interval{afterRow(c.after), endOfPartition}
	if c.reversed {
		rest = interval{"", c.after}
	}
	var list []interval
	for _, v := range c.intervals {
		if v = v.and(rest); !v.isEmpty() {
			list = append(list, v)
		}
	}
	return list
}

// finish cuts a partition where enough rows were found, and adds its deletions of intervals.
func (r *reading) finish(p, out *partition, visible []interval, last string) {
	c := r.command
	if c.reversed {
		for i, j := 0, len(out.rows)-1; i < j; i, j = i+1, j-1 {
			out.rows[i], out.rows[j] = out.rows[j], out.rows[i]
		}
	}
	if r.rows >= c.limit {
		r.answer.cut = &cut{part: out, position: last, reversed: c.reversed}
	}
	if len(p.ranges) > 0 {
		if r.answer.cut != nil {
			visible = clip(visible, r.answer.cut)
		}
		within := p.ranges.within(visible)
		r.count(2 * len(within))
		for _, d := range within {
			if !r.forget(p, d.deleted).isLive() {
				out.ranges = out.ranges.push(d)
			}
		}
	}
	if !out.isEmpty() {
		r.answer.parts = append(r.answer.parts, out)
	}
}

// clip returns the parts of intervals up to a cut.
func clip(intervals []interval, at *cut) []interval {
	kept := interval{"", afterRow(at.position)}
	if at.reversed {
		kept = interval{at.position, endOfPartition}
	}
	var list []interval
	for _, v := range intervals {
		if v = v.and(kept); !v.isEmpty() {
			list = append(list, v)
		}
	}
	return list
}

// afterRow is the position just after a row; positions of rows have no common beginnings.
func afterRow(position string) string { return position + "\x00" }

// readRows adds the rows of an interval, and returns the last position.
func (r *reading) readRows(p, out *partition, v interval) (last string) {
	c := r.command
	from, to := p.find(v.start), p.find(v.end)
	for i := from; i < to; i++ {
		at := p.rows[i]
		if c.reversed {
			at = p.rows[to-1-(i-from)]
		}
		last = at.position
		row := r.row(p, at)
		if row == nil {
			continue
		}
		out.rows = append(out.rows, row)
		if row.isLive(c.now) {
			if r.rows++; r.rows >= c.limit {
				r.answer.cut = &cut{}
				return last
			}
		}
		if r.answer.failed {
			return last
		}
	}
	return last
}

func (r *reading) row(p *partition, at *row) *row {
	if at.lasts(r.command.now) {
		return at
	}
	r.look(p)
	row := r.purge.row(at)
	if row == nil {
		return nil
	}
	dead := 0
	for _, c := range row.cells {
		if !c.isLive(r.command.now) {
			dead++
		}
	}
	if dead == 0 && !row.isLive(r.command.now) && !row.deleted.isLive() {
		dead = 1
	}
	r.count(dead)
	return row
}

// look finds the oldest unrepaired tombstone of a partition when it matters first.
func (r *reading) look(p *partition) {
	if r.purge.repairedOnly && r.purge.oldest == 0 {
		r.purge.oldest = p.oldestUnrepaired()
	}
}

func (r *reading) forget(p *partition, d deletion) deletion {
	if d.isLive() || d.local >= r.purge.before {
		return d
	}
	r.look(p)
	return r.purge.deletion(d)
}

func (r *reading) count(tombstones int) {
	if r.answer.tombstones += tombstones; r.answer.tombstones > r.command.failAt {
		r.answer.failed = true
	}
}

// upTo returns the answer before and at a cut.
func (a *answer) upTo(at *cut) []*partition {
	if at == nil || a.cut != nil && a.cut.compare(at) == 0 {
		return a.parts
	}
	var list []*partition
	for _, p := range a.parts {
		switch c := ringOrder(p, at.part); {
		case c < 0:
			list = append(list, p)
		case c == 0:
			list = append(list, p.upTo(at))
		}
	}
	return list
}

// upTo returns the part of a partition before and at a cut.
func (p *partition) upTo(at *cut) *partition {
	visible := clip([]interval{everything}, at)
	part := newPartition(p.key, p.token)
	part.deleted, part.static = p.deleted, p.static
	part.ranges = p.ranges.within(visible)
	for _, v := range visible {
		part.rows = append(part.rows, p.rows[p.find(v.start):p.find(v.end)]...)
	}
	return part
}
