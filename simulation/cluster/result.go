package cluster

import (
	"encoding/binary"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// table of results: the selected columns of live rows.
type result struct {
	types []gocql.TypeInfo
	rows  [][][]byte
	page  []byte
}

// page is a position between two pages.
type page struct {
	token     int64
	key       string
	position  string
	remaining int // rows until LIMIT
}

func (p *page) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(p.token))
	b = binary.BigEndian.AppendUint64(b, uint64(p.remaining))
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.key)))
	b = append(b, p.key...)
	return append(b, p.position...)
}

func decodePage(b []byte) (*page, error) {
	if len(b) < 20 || len(b) < 20+int(binary.BigEndian.Uint32(b[16:])) {
		return nil, invalid("Invalid value for the paging state")
	}
	n := int(binary.BigEndian.Uint32(b[16:]))
	return &page{
		token: int64(binary.BigEndian.Uint64(b)), remaining: int(binary.BigEndian.Uint64(b[8:])),
		key: string(b[20 : 20+n]), position: string(b[20+n:]),
	}, nil
}

// outcome collects the rows of a page.
type outcome struct {
	plan  *plan
	now   int64
	limit int
	rows  [][][]byte
	last  *page // where the last row is; the field remaining is not set
	lone  bool  // the last row is the only one its partition can have
}

// resolveResults finds the selected columns and their types.
func (p *plan) resolveResults() {
	p.results, p.selected = make([]gocql.TypeInfo, len(p.selectors)), make([]*column, len(p.selectors))
	for i, s := range p.selectors {
		if s.function != "token" {
			p.selected[i] = p.table.byName[s.columns[0]]
		}
		switch s.function {
		case "":
			p.results[i] = p.selected[i].typ.info
		case "ttl":
			p.results[i] = int32s
		default:
			p.results[i] = bigint
		}
	}
}

// add adds the live rows of a merged partition, and reports whether the page is full. resumed is set if an
// earlier page ended in the partition.
func (o *outcome) add(p *partition, resumed bool) (full bool) {
	if len(o.rows) >= o.limit {
		return true
	}
	static := p.static
	if static != nil && !static.isLive(o.now) {
		static = nil
	}
	parts := o.plan.table.keyParts(p.key)
	found := false
	for i := range p.rows {
		r := p.rows[i]
		if o.plan.reversed {
			r = p.rows[len(p.rows)-1-i]
		}
		if !r.isLive(o.now) {
			continue
		}
		found = true
		o.rows = append(o.rows, o.values(p, parts, static, r))
		o.last, o.lone = &page{token: p.token, key: p.key, position: r.position}, len(o.plan.table.cluster) == 0
		if len(o.rows) >= o.limit {
			return true
		}
	}
	if !found && static != nil && o.plan.full && !resumed {
		o.rows = append(o.rows, o.values(p, parts, static, nil))
		o.last, o.lone = &page{token: p.token, key: p.key, position: endOfPartition}, true
	}
	return len(o.rows) >= o.limit
}

// values returns the selected values of a row; r is nil for a partition with static columns only.
func (o *outcome) values(p *partition, parts [][]byte, static, r *row) [][]byte {
	list := make([][]byte, len(o.plan.selectors))
	for i := range o.plan.selectors {
		s := &o.plan.selectors[i]
		if s.function == "token" {
			list[i] = binary.BigEndian.AppendUint64(nil, uint64(p.token))
			continue
		}
		c := o.plan.selected[i]
		holder := r
		switch c.kind {
		case partitionColumn:
			list[i] = parts[c.position]
			continue
		case clusteringColumn:
			if r != nil {
				list[i] = r.key[c.position]
			}
			continue
		case staticColumn:
			holder = static
		}
		if holder != nil {
			list[i] = o.value(s.function, c, holder.cellsOf(c.id))
		}
	}
	return list
}

// value returns the value of a column with its cells, or a property of it.
func (o *outcome) value(function string, c *column, cells []*cell) []byte {
	if c.typ.multicell() {
		return o.collection(c.typ, cells)
	}
	if len(cells) == 0 || !cells[0].isLive(o.now) {
		return nil
	}
	cell := cells[0]
	switch function {
	case "writetime":
		return binary.BigEndian.AppendUint64(nil, uint64(cell.at))
	case "ttl":
		if cell.ttl == 0 {
			return nil
		}
		return binary.BigEndian.AppendUint32(nil, uint32(cell.local-o.now))
	}
	return cell.value
}

// collection encodes the live elements of a collection; nil without any.
func (o *outcome) collection(typ *valueType, cells []*cell) []byte {
	data := make([]byte, 4)
	n := uint32(0)
	for _, c := range cells {
		if !c.isLive(o.now) {
			continue
		}
		n++
		data = binary.BigEndian.AppendUint32(data, uint32(len(c.element)))
		data = append(data, c.element...)
		if typ.kind == mapType {
			data = binary.BigEndian.AppendUint32(data, uint32(len(c.value)))
			data = append(data, c.value...)
		}
	}
	if n == 0 {
		return nil
	}
	binary.BigEndian.PutUint32(data, n)
	return data
}

// rows is a page of rows for a caller. It implements driver.Rows.
type rows struct {
	result
	next int
	err  error
}

func (r *rows) Len() int     { return len(r.rows) }
func (r *rows) Page() []byte { return r.page }

func (r *rows) Next() bool {
	if r.err != nil || r.next >= len(r.rows) {
		return false
	}
	r.next++
	return true
}

func (r *rows) Scan(dest ...any) error {
	if r.next == 0 {
		return fmt.Errorf("gocql: Scan without calling Next")
	}
	row := r.rows[r.next-1]
	if len(dest) != len(row) {
		return r.fail(fmt.Errorf("gocql: not enough columns to scan into: have %d want %d", len(dest), len(row)))
	}
	for i, d := range dest {
		if d == nil {
			continue
		}
		if err := gocql.Unmarshal(r.types[i], row[i], d); err != nil {
			return r.fail(err)
		}
	}
	return nil
}

func (r *rows) fail(err error) error {
	r.err = err
	return err
}

func (r *rows) Close() error { return r.err }
