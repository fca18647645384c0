package cluster

import (
	"slices"
	"sort"
)

// partition holds the rows of a partition key: at a node, in a mutation, or in the answer of a replica.
// Nothing in it is deleted by something else in it.
type partition struct {
	key     string
	token   int64
	deleted deletion
	static  *row
	rows    []*row // by position
	ranges  rangeList
}

func newPartition(key string, token int64) *partition {
	return &partition{key: key, token: token, deleted: live}
}

func (p *partition) isEmpty() bool {
	return p.deleted.isLive() && p.static == nil && len(p.rows) == 0 && len(p.ranges) == 0
}

// deletionAt returns the deletion of the partition or of an interval at a position.
func (p *partition) deletionAt(position string) deletion {
	if d := p.ranges.at(position); d.at > p.deleted.at {
		return d
	}
	return p.deleted
}

// find returns the index of the first row at or after a position.
func (p *partition) find(position string) int {
	n := len(p.rows)
	if n == 0 || p.rows[n-1].position < position {
		return n
	}
	return sort.Search(n, func(i int) bool { return p.rows[i].position >= position })
}

// at returns the row at a position, or nil.
func (p *partition) at(position string) *row {
	if i := p.find(position); i < len(p.rows) && p.rows[i].position == position {
		return p.rows[i]
	}
	return nil
}

// apply merges a mutation into a partition. Earlier states go to the journal, which may be nil.
func (p *partition) apply(m *partition, j *journal) {
	if m.deleted.supersedes(p.deleted) {
		j.note(change{part: p, kind: changedPartition, deletes: &partition{deleted: p.deleted}})
		p.deleted = m.deleted
		p.setRanges(p.ranges.after(p.deleted), j)
		if p.static != nil {
			p.setStatic(p.static.shadowed(p.deleted), j)
		}
		p.dropShadowed(everything, j)
	}
	for _, r := range m.ranges {
		if r.deleted.at <= p.deleted.at {
			continue
		}
		p.setRanges(p.ranges.with(r), j)
		p.dropShadowed(r.interval, j)
	}
	if m.static != nil {
		if s := m.static.shadowed(p.deleted); s != nil {
			p.setStatic(mergeRows(p.static, s), j)
		}
	}
	for _, r := range m.rows {
		p.applyRow(r, j)
	}
}

func (p *partition) applyRow(r *row, j *journal) {
	if r = r.shadowed(p.deletionAt(r.position)); r == nil {
		return
	}
	i := p.find(r.position)
	if i < len(p.rows) && p.rows[i].position == r.position {
		old := p.rows[i]
		merged := mergeRows(old, r)
		if merged == old {
			return
		}
		j.note(change{part: p, kind: changedRow, position: r.position, row: old})
		p.rows[i] = merged
		return
	}
	j.note(change{part: p, kind: changedRow, position: r.position})
	p.rows = slices.Insert(p.rows, i, r)
}

func (p *partition) setStatic(r *row, j *journal) {
	if r == p.static {
		return
	}
	j.note(change{part: p, kind: changedStatic, row: p.static})
	p.static = r
}

func (p *partition) setRanges(l rangeList, j *journal) {
	if len(l) == 0 && len(p.ranges) == 0 {
		return
	}
	j.note(change{part: p, kind: changedRanges, deletes: &partition{ranges: p.ranges}})
	p.ranges = l
}

// dropShadowed removes everything in an interval that deletions of the partition or of intervals delete.
func (p *partition) dropShadowed(v interval, j *journal) {
	from, to := p.find(v.start), p.find(v.end)
	kept := p.rows[from:from]
	for _, r := range p.rows[from:to] {
		s := r.shadowed(p.deletionAt(r.position))
		if s != r {
			j.note(change{part: p, kind: changedRow, position: r.position, row: r})
		}
		if s != nil {
			kept = append(kept, s)
		}
	}
	p.rows = slices.Delete(p.rows, from+len(kept), to)
}

// samePartitions reports whether two partitions hold the same; a nil partition holds nothing.
func samePartitions(a, b *partition) bool {
	if a == nil || b == nil {
		return (a == nil || a.isEmpty()) && (b == nil || b.isEmpty())
	}
	if !a.deleted.same(b.deleted) || !sameRows(a.static, b.static) || len(a.rows) != len(b.rows) || !sameRanges(a.ranges, b.ranges) {
		return false
	}
	for i, r := range a.rows {
		if r != b.rows[i] && (r.position != b.rows[i].position || !sameRows(r, b.rows[i])) {
			return false
		}
	}
	return true
}

// mergePartitions merges the answers of several replicas into a new partition.
func mergePartitions(parts []*partition) *partition {
	var merged *partition
	for _, p := range parts {
		if p == nil {
			continue
		}
		if merged == nil {
			merged = newPartition(p.key, p.token)
			merged.deleted, merged.static, merged.rows, merged.ranges = p.deleted, p.static, slices.Clone(p.rows), p.ranges
			continue
		}
		merged.apply(p, nil)
	}
	return merged
}

// lacks returns what a replica lacks of a merged answer; nil if it lacks nothing.
func (p *partition) lacks(merged *partition) *partition {
	if merged == nil || samePartitions(p, merged) {
		return nil
	}
	if p == nil {
		p = newPartition(merged.key, merged.token)
	}
	m := newPartition(merged.key, merged.token)
	if !merged.deleted.same(p.deleted) {
		m.deleted = merged.deleted
	}
	if !sameRanges(merged.ranges, p.ranges) {
		m.ranges = merged.ranges
	}
	if !sameRows(merged.static, p.static) {
		m.static = merged.static
	}
	for _, r := range merged.rows {
		if !sameRows(r, p.at(r.position)) {
			m.rows = append(m.rows, r)
		}
	}
	if m.isEmpty() {
		return nil
	}
	return m
}
