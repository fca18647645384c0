package cluster

// purger decides which tombstones may be forgotten.
type purger struct {
	now          int64 // second
	before       int64 // tombstones from before this second are old enough
	repairedOnly bool
	// unrepaired is the oldest second of an unrepaired tombstone: older tombstones may be forgotten by a read of a
	// table with only_purge_repaired_tombstones. Zero asks for the repaired mark instead.
	oldest int64
	all    bool // forget tombstones of any age
}

func (g *purger) purges(local int64, repaired bool) bool {
	if g.repairedOnly && (g.oldest == 0 && !repaired || g.oldest != 0 && local >= g.oldest) {
		return false
	}
	return g.all || local < g.before
}

func (g *purger) deletion(d deletion) deletion {
	if !d.isLive() && g.purges(d.local, d.repaired) {
		return live
	}
	return d
}

// cell returns a cell as a reader or a compaction sees it: an expired cell is a tombstone from when it was
// written. Nil: the cell is forgotten.
func (g *purger) cell(c *cell) *cell {
	if c.isLive(g.now) {
		return c
	}
	if g.purges(c.local, c.repaired) {
		return nil
	}
	if c.ttl == 0 {
		return c
	}
	if written := c.local - int64(c.ttl); g.purges(written, c.repaired) {
		return nil
	} else {
		return &cell{at: c.at, local: written, path: c.path, element: c.element, column: c.column, repaired: c.repaired}
	}
}

// row returns a row without what is forgotten; nil if nothing is left.
func (g *purger) row(r *row) *row {
	if r == nil || r.lasts(g.now) {
		return r
	}
	m := &row{position: r.position, key: r.key, marker: r.marker, deleted: g.deletion(r.deleted)}
	if r.marker.at != noTimestamp && !r.marker.isLive(g.now) && g.purges(r.marker.expires, r.marker.repaired) {
		m.marker = noMarker
	}
	for _, o := range r.overs {
		if o.deleted = g.deletion(o.deleted); !o.deleted.isLive() {
			m.overs = append(m.overs, o)
		}
	}
	m.cells = make([]*cell, 0, len(r.cells))
	for _, c := range r.cells {
		if c = g.cell(c); c != nil {
			m.cells = append(m.cells, c)
		}
	}
	if m.isEmpty() {
		return nil
	}
	return m
}

// lasts reports whether a row has nothing that could be forgotten at a moment.
func (r *row) lasts(now int64) bool {
	if !r.deleted.isLive() || len(r.overs) > 0 || r.marker.at != noTimestamp && !r.marker.isLive(now) {
		return false
	}
	for _, c := range r.cells {
		if !c.isLive(now) {
			return false
		}
	}
	return true
}

func (g *purger) ranges(l rangeList) rangeList {
	for i, r := range l {
		if g.deletion(r.deleted).isLive() {
			kept := append(rangeList(nil), l[:i]...)
			for _, r := range l[i:] {
				if !g.deletion(r.deleted).isLive() {
					kept = kept.push(r)
				}
			}
			return kept
		}
	}
	return l
}

// oldestUnrepaired returns the oldest second of an unrepaired tombstone in a partition.
func (p *partition) oldestUnrepaired() int64 {
	oldest := int64(noDeletion)
	see := func(local int64, repaired bool) {
		if !repaired {
			oldest = min(oldest, local)
		}
	}
	see(p.deleted.local, p.deleted.repaired)
	for _, r := range p.ranges {
		see(r.deleted.local, r.deleted.repaired)
	}
	row := func(r *row) {
		see(r.deleted.local, r.deleted.repaired)
		see(r.marker.expires, r.marker.repaired)
		for _, o := range r.overs {
			see(o.deleted.local, o.deleted.repaired)
		}
		for _, c := range r.cells {
			see(c.local, c.repaired)
		}
	}
	for _, r := range p.rows {
		row(r)
	}
	if p.static != nil {
		row(p.static)
	}
	return oldest
}
