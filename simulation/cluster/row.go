package cluster

// row is a row with all its tombstones. A row never changes, so replicas share rows.
type row struct {
	position string // in the partition; empty: the static row
	key      [][]byte
	marker   marker
	deleted  deletion
	cells    []*cell    // in the order of cell.before
	overs    []overCell // deletions of whole collections, by column
}

// overCell is the deletion of all older elements of a collection.
type overCell struct {
	column  int16
	deleted deletion
}

// over returns the deletion of a collection.
func (r *row) over(column int16) deletion {
	for _, o := range r.overs {
		if o.column == column {
			return o.deleted
		}
	}
	return live
}

// cellsOf returns the cells of a column.
func (r *row) cellsOf(column int16) []*cell {
	from := 0
	for from < len(r.cells) && r.cells[from].column < column {
		from++
	}
	to := from
	for to < len(r.cells) && r.cells[to].column == column {
		to++
	}
	return r.cells[from:to]
}

// isLive reports whether a row exists for a reader.
func (r *row) isLive(now int64) bool {
	if r.marker.isLive(now) {
		return true
	}
	for _, c := range r.cells {
		if c.isLive(now) {
			return true
		}
	}
	return false
}

func (r *row) isEmpty() bool {
	return r.marker.at == noTimestamp && r.deleted.isLive() && len(r.cells) == 0 && len(r.overs) == 0
}

// mergeRows merges two rows at the same position. The result is one of the rows if nothing of the other
// counts.
func mergeRows(a, b *row) *row {
	if a == nil || a == b {
		return b
	}
	if b == nil {
		return a
	}
	m := &row{position: a.position, key: a.key, marker: a.marker, deleted: latest(a.deleted, b.deleted)}
	if b.marker.supersedes(a.marker) {
		m.marker = b.marker
	}
	m.overs = mergeOvers(a.overs, b.overs)
	m.cells = make([]*cell, 0, max(len(a.cells), len(b.cells)))
	for i, j := 0, 0; i < len(a.cells) || j < len(b.cells); {
		switch {
		case i == len(a.cells):
			m.cells = append(m.cells, b.cells[j])
			j++
		case j == len(b.cells):
			m.cells = append(m.cells, a.cells[i])
			i++
		default:
			if c := a.cells[i].before(b.cells[j]); c < 0 {
				m.cells = append(m.cells, a.cells[i])
				i++
			} else if c > 0 {
				m.cells = append(m.cells, b.cells[j])
				j++
			} else {
				m.cells = append(m.cells, reconcile(a.cells[i], b.cells[j]))
				i, j = i+1, j+1
			}
		}
	}
	return m.shadowed(live)
}

func mergeOvers(a, b []overCell) []overCell {
	if len(b) == 0 {
		return a
	}
	if len(a) == 0 {
		return b
	}
	var m []overCell
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && a[i].column < b[j].column:
			m = append(m, a[i])
			i++
		case i == len(a) || b[j].column < a[i].column:
			m = append(m, b[j])
			j++
		default:
			m = append(m, overCell{a[i].column, latest(a[i].deleted, b[j].deleted)})
			i, j = i+1, j+1
		}
	}
	return m
}

// shadowed returns the row without everything that its own deletions, and a deletion from outside, delete;
// nil if nothing is left.
func (r *row) shadowed(outside deletion) *row {
	deleted := outside.at
	kept := r.deleted
	if kept.at <= outside.at {
		kept = live
	} else {
		deleted = kept.at
	}
	if r.unshadowed(deleted, kept) {
		return r
	}
	m := &row{position: r.position, key: r.key, marker: r.marker, deleted: kept}
	if m.marker.at <= deleted {
		m.marker = noMarker
	}
	for _, o := range r.overs {
		if o.deleted.at > deleted {
			m.overs = append(m.overs, o)
		}
	}
	m.cells = make([]*cell, 0, len(r.cells))
	for _, c := range r.cells {
		if c.at > max(deleted, m.over(c.column).at) {
			m.cells = append(m.cells, c)
		}
	}
	if m.isEmpty() {
		return nil
	}
	return m
}

// unshadowed reports whether no part of a row is deleted.
func (r *row) unshadowed(deleted int64, kept deletion) bool {
	if kept != r.deleted || r.marker.at != noTimestamp && r.marker.at <= deleted {
		return false
	}
	for _, o := range r.overs {
		if o.deleted.at <= deleted {
			return false
		}
	}
	for _, c := range r.cells {
		if c.at <= deleted || len(r.overs) > 0 && c.at <= r.over(c.column).at {
			return false
		}
	}
	return true
}

// sameRows reports whether two rows hold the same; a nil row holds nothing.
func sameRows(a, b *row) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || !a.marker.same(b.marker) || !a.deleted.same(b.deleted) || len(a.cells) != len(b.cells) || len(a.overs) != len(b.overs) {
		return false
	}
	for i, o := range a.overs {
		if o.column != b.overs[i].column || !o.deleted.same(b.overs[i].deleted) {
			return false
		}
	}
	for i, c := range a.cells {
		if c.before(b.cells[i]) != 0 || !c.same(b.cells[i]) {
			return false
		}
	}
	return true
}
