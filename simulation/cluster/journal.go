package cluster

import "slices"

// journal holds the states before the changes since the last sync of the commit log. A crash that loses the
// log restores them.
type journal struct {
	changes []change
}

type changeKind int

const (
	changedRow changeKind = iota
	changedStatic
	changedRanges
	changedPartition
)

// change is the state of a part of a partition before a change.
type change struct {
	part     *partition
	kind     changeKind
	position string
	row      *row
	deletes  *partition // holds the deletions of the partition and of intervals
}

func (j *journal) note(c change) {
	if j != nil {
		j.changes = append(j.changes, c)
	}
}

// sync forgets the states: the changes are on disk.
func (j *journal) sync() {
	clear(j.changes)
	j.changes = j.changes[:0]
}

// undo restores the states.
func (j *journal) undo() {
	for _, c := range slices.Backward(j.changes) {
		p := c.part
		switch c.kind {
		case changedStatic:
			p.static = c.row
		case changedRanges:
			p.ranges = c.deletes.ranges
		case changedPartition:
			p.deleted = c.deletes.deleted
		case changedRow:
			i := p.find(c.position)
			exists := i < len(p.rows) && p.rows[i].position == c.position
			switch {
			case c.row == nil && exists:
				p.rows = slices.Delete(p.rows, i, i+1)
			case c.row != nil && exists:
				p.rows[i] = c.row
			case c.row != nil:
				p.rows = slices.Insert(p.rows, i, c.row)
			}
		}
	}
	j.sync()
}
