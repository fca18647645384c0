package cluster

import (
	"bytes"
	"math"
)

// Absent values of cells.
const (
	noTimestamp = math.MinInt64
	noDeletion  = math.MaxInt64 // a local deletion time
)

// deletion is the time of a deletion: at is the timestamp, local the second by the clock of the node that
// made it. repaired is set once a repair has compared all replicas.
type deletion struct {
	at       int64
	local    int64
	repaired bool
}

// live is the absence of a deletion.
var live = deletion{at: noTimestamp, local: noDeletion}

func (d deletion) isLive() bool { return d.at == noTimestamp }

// supersedes reports whether a deletion replaces another. An equal deletion that is repaired does.
func (d deletion) supersedes(o deletion) bool {
	if d.at != o.at {
		return d.at > o.at
	}
	if d.local != o.local {
		return d.local > o.local
	}
	return d.repaired && !o.repaired
}

func (d deletion) same(o deletion) bool { return d.at == o.at && d.local == o.local }

// latest returns the deletion that counts.
func latest(a, b deletion) deletion {
	if b.supersedes(a) {
		return b
	}
	return a
}

// marker is the liveness of a primary key. An INSERT makes it.
type marker struct {
	at       int64 // noTimestamp: none
	ttl      int32 // zero: does not expire
	expires  int64 // second; noDeletion without ttl
	repaired bool
}

var noMarker = marker{at: noTimestamp, expires: noDeletion}

func (m marker) isLive(now int64) bool { return m.at != noTimestamp && (m.ttl == 0 || now < m.expires) }

func (m marker) supersedes(o marker) bool {
	if m.at != o.at {
		return m.at > o.at
	}
	if (m.ttl > 0) != (o.ttl > 0) {
		return m.ttl > 0
	}
	if m.expires != o.expires {
		return m.expires > o.expires
	}
	return m.repaired && !o.repaired
}

func (m marker) same(o marker) bool { return m.at == o.at && m.ttl == o.ttl && m.expires == o.expires }

// cell is a value of a column, or of an element of a collection, with its timestamp. A tombstone has a time
// of deletion and no ttl. A cell with a ttl becomes a tombstone when it expires.
type cell struct {
	at       int64
	local    int64 // second: of the deletion or of expiry; noDeletion: neither
	value    []byte
	path     string // the element of a collection, in a form that sorts
	element  []byte // the element of a collection
	ttl      int32
	column   int16
	repaired bool
}

func (c *cell) isTombstone() bool { return c.local != noDeletion && c.ttl == 0 }

func (c *cell) isLive(now int64) bool { return c.local == noDeletion || c.ttl > 0 && now < c.local }

// reconcile returns the cell that wins over the other: the later timestamp; at the same timestamp a tombstone
// before an expiring cell before another cell, the later end, and the greater value.
func reconcile(a, b *cell) *cell {
	switch {
	case a.at != b.at:
		return pick(a, b, a.at > b.at)
	case (a.local != noDeletion) != (b.local != noDeletion):
		return pick(a, b, a.local != noDeletion)
	case a.isTombstone() != b.isTombstone():
		return pick(a, b, a.isTombstone())
	case a.local != b.local:
		return pick(a, b, a.local > b.local)
	}
	if c := bytes.Compare(a.value, b.value); c != 0 {
		return pick(a, b, c > 0)
	}
	return pick(a, b, a.repaired || !b.repaired)
}

func pick(a, b *cell, first bool) *cell {
	if first {
		return a
	}
	return b
}

func (c *cell) same(o *cell) bool {
	return c == o || c.at == o.at && c.local == o.local && c.ttl == o.ttl && bytes.Equal(c.value, o.value) && (c.value == nil) == (o.value == nil)
}

// place orders the cells of a row: by column, then by element.
func (c *cell) before(o *cell) int {
	if c.column != o.column {
		return int(c.column) - int(o.column)
	}
	if c.path == o.path {
		return 0
	} else if c.path < o.path {
		return -1
	}
	return 1
}
