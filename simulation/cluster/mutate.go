package cluster

import (
	"math"
	"slices"

	"popelago/store/cassandra/murmur"
)

// mutation is a write to one partition of a table, or to several for a repair.
type mutation struct {
	table *table
	parts []*partition
}

// moment is the time of a write: the timestamp without USING TIMESTAMP, and the second of the coordinator.
type moment struct {
	micros int64
	second int64
}

// writer builds the mutation of a statement.
type writer struct {
	plan   *plan
	values []value
	at     int64
	ttl    int32
	second int64
	part   *partition
}

// write returns the partition that a statement writes. key may be empty: then it is found in the values.
func (p *plan) write(values []value, now moment, key string, token int64) (*partition, error) {
	if key == "" {
		var err error
		if key, err = p.key(values); err != nil {
			return nil, err
		}
		token = murmur.Token([]byte(key))
	}
	w := &writer{plan: p, values: values, at: now.micros, second: now.second, part: newPartition(key, token)}
	at, set, err := p.timestamp.number(values, scalars["bigint"], "timestamp")
	if err != nil {
		return nil, err
	}
	if set {
		if at == math.MinInt64 {
			return nil, invalid("Out of bound timestamp, must be in [%d, %d]", int64(math.MinInt64+1), int64(math.MaxInt64))
		}
		w.at = at
	}
	if err := w.readTTL(); err != nil {
		return nil, err
	}
	selected, err := p.selection(values)
	if err != nil {
		return nil, err
	}
	switch p.verb {
	case insertVerb:
		err = w.insert(selected)
	case updateVerb:
		err = w.update(selected)
	default:
		err = w.delete(selected)
	}
	return w.part, err
}

// maxTTL is twenty years.
const maxTTL = 20 * 365 * 24 * 60 * 60

func (w *writer) readTTL() error {
	t := w.plan.ttl
	if t == nil {
		return nil
	}
	if v, err := t.of(w.values, scalars["int"]); err != nil || v.unset || v.data == nil {
		return err // Cassandra takes null for no ttl
	}
	ttl, _, err := t.number(w.values, scalars["int"], "ttl")
	switch {
	case err != nil:
		return err
	case ttl < 0:
		return invalid("A TTL must be greater or equal to 0, but was %d", ttl)
	case ttl > maxTTL:
		return invalid("ttl is too large. requested (%d) maximum (%d)", ttl, maxTTL)
	}
	w.ttl = int32(ttl)
	return nil
}

func (w *writer) expires() int64 {
	if w.ttl == 0 {
		return noDeletion
	}
	return w.second + int64(w.ttl)
}

func (w *writer) tombstone() deletion { return deletion{at: w.at, local: w.second} }

func (w *writer) insert(selected selection) error {
	var static, regular []*cell
	var staticOvers, overs []overCell
	for i, name := range w.plan.columns {
		c := w.plan.table.byName[name]
		if c.kind < staticColumn {
			continue
		}
		v, err := w.plan.values[i].of(w.values, c.typ)
		if err != nil {
			return err
		}
		if c.kind == staticColumn {
			static, staticOvers = w.overwrite(static, staticOvers, c, v)
		} else {
			regular, overs = w.overwrite(regular, overs, c, v)
		}
	}
	w.setStatic(static, staticOvers)
	if !selected.complete {
		return nil
	}
	r := w.row(selected.spots[0])
	r.marker = marker{at: w.at, ttl: w.ttl, expires: w.expires()}
	r.cells, r.overs = regular, overs
	return w.add(r)
}

func (w *writer) row(s spot) *row {
	return &row{position: string(s.position), key: s.key, marker: noMarker, deleted: live}
}

// add appends a row to the partition, with its cells in order.
func (w *writer) add(r *row) error {
	slices.SortStableFunc(r.cells, (*cell).before)
	slices.SortStableFunc(r.overs, func(a, b overCell) int { return int(a.column) - int(b.column) })
	r.cells = compactCells(r.cells)
	if r.isEmpty() {
		return nil
	}
	w.part.rows = append(w.part.rows, r)
	return nil
}

// compactCells reconciles cells in the same place.
func compactCells(cells []*cell) []*cell {
	kept := cells[:0]
	for _, c := range cells {
		if n := len(kept); n > 0 && kept[n-1].before(c) == 0 {
			kept[n-1] = reconcile(kept[n-1], c)
		} else {
			kept = append(kept, c)
		}
	}
	return kept
}

func (w *writer) setStatic(cells []*cell, overs []overCell) {
	if len(cells) == 0 && len(overs) == 0 {
		return
	}
	r := &row{marker: noMarker, deleted: live, cells: cells, overs: overs}
	slices.SortStableFunc(r.cells, (*cell).before)
	r.cells = compactCells(r.cells)
	w.part.static = r
}

// cell makes a cell; null makes a tombstone.
func (w *writer) cell(c *column, v value) *cell {
	if v.data == nil {
		return &cell{at: w.at, local: w.second, column: c.id}
	}
	return &cell{at: w.at, local: w.expires(), ttl: w.ttl, value: v.data, column: c.id}
}

// overwrite replaces a column. Older elements of a collection are deleted just before.
func (w *writer) overwrite(cells []*cell, overs []overCell, c *column, v value) ([]*cell, []overCell) {
	if v.unset {
		return cells, overs
	}
	if !c.typ.multicell() {
		return append(cells, w.cell(c, v)), overs
	}
	overs = append(overs, overCell{c.id, deletion{at: w.at - 1, local: w.second}})
	return append(cells, w.elements(c, v)...), overs
}

// elements makes the cells of the elements of a collection.
func (w *writer) elements(c *column, v value) (cells []*cell) {
	list := elements(v.data)
	if c.typ.kind == mapType {
		for i := 0; i+1 < len(list); i += 2 {
			cells = append(cells, w.element(c, list[i], value{data: list[i+1]}))
		}
		return cells
	}
	for _, e := range list {
		cells = append(cells, w.element(c, e, value{data: []byte{}}))
	}
	return cells
}

// element makes the cell of an element.
func (w *writer) element(c *column, e []byte, v value) *cell {
	made := w.cell(c, v)
	made.element, made.path = e, string(c.typ.key.order(nil, e))
	return made
}

func (w *writer) update(selected selection) error {
	var static, regular []*cell
	var staticOvers, overs []overCell
	for i := range w.plan.assignments {
		a := &w.plan.assignments[i]
		c := w.plan.table.byName[a.column]
		cells, dropped, err := w.assign(a, c)
		if err != nil {
			return err
		}
		if c.kind == staticColumn {
			static, staticOvers = append(static, cells...), append(staticOvers, dropped...)
		} else {
			regular, overs = append(regular, cells...), append(overs, dropped...)
		}
	}
	w.setStatic(static, staticOvers)
	return w.addRows(selected, regular, overs)
}

// addRows adds a row with equal cells for each selected spot; without cells none.
func (w *writer) addRows(selected selection, cells []*cell, overs []overCell) error {
	if len(cells) == 0 && len(overs) == 0 {
		return nil
	}
	for _, s := range selected.spots {
		r := w.row(s)
		r.cells, r.overs = slices.Clone(cells), slices.Clone(overs)
		if err := w.add(r); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) assign(a *assignment, c *column) ([]*cell, []overCell, error) {
	typ := c.typ
	if a.sign == "[" {
		typ = c.typ.elem
	}
	v, err := a.value.of(w.values, typ)
	if err != nil || v.unset {
		return nil, nil, err
	}
	switch a.sign {
	case "=":
		cells, overs := w.overwrite(nil, nil, c, v)
		return cells, overs, nil
	case "+":
		return w.elements(c, v), nil, nil
	case "-":
		var cells []*cell
		for _, e := range elements(v.data) {
			cells = append(cells, w.element(c, e, value{}))
		}
		return cells, nil, nil
	}
	key, err := a.key.of(w.values, c.typ.key)
	if err != nil {
		return nil, nil, err
	}
	if key.data == nil {
		return nil, nil, invalid("Invalid null map key")
	}
	return []*cell{w.element(c, key.data, v)}, nil, nil
}

func (w *writer) delete(selected selection) error {
	table := w.plan.table
	switch {
	case len(w.plan.columns) > 0:
		return w.deleteColumns(selected)
	case len(w.plan.ranges) == 0:
		w.part.deleted = w.tombstone()
	case selected.complete && len(table.cluster) > 0:
		for _, s := range selected.spots {
			r := w.row(s)
			r.deleted = w.tombstone()
			w.part.rows = append(w.part.rows, r)
		}
	default:
		for _, v := range selected.intervals {
			w.part.ranges = w.part.ranges.with(rangeDeletion{v, w.tombstone()})
		}
	}
	return nil
}

func (w *writer) deleteColumns(selected selection) error {
	var static, regular []*cell
	var staticOvers, overs []overCell
	for _, name := range w.plan.columns {
		c := w.plan.table.byName[name]
		switch {
		case c.typ.multicell() && c.kind == staticColumn:
			staticOvers = append(staticOvers, overCell{c.id, w.tombstone()})
		case c.typ.multicell():
			overs = append(overs, overCell{c.id, w.tombstone()})
		case c.kind == staticColumn:
			static = append(static, w.cell(c, value{}))
		default:
			regular = append(regular, w.cell(c, value{}))
		}
	}
	w.setStatic(static, staticOvers)
	return w.addRows(selected, regular, overs)
}
