package cluster

import (
	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Row is a live row for a check. Values holds the value of each column in the type that the driver for Go
// chooses; null is nil, and missing columns are null.
type Row struct {
	Values map[string]any
	// Times holds the timestamp of each live column that is no collection.
	Times map[string]int64
	// Expires reports that the row was inserted with a TTL.
	Expires bool
}

// Rows returns the live rows of a table as merged from all replicas, whether they run or not.
func (c *Cluster) Rows(keyspaceName, name string) ([]Row, error) {
	return c.rowsOf(keyspaceName, name, c.nodes)
}

// RowsAt returns the live rows of a table at one node.
func (c *Cluster) RowsAt(nodeName, keyspaceName, name string) ([]Row, error) {
	return c.rowsOf(keyspaceName, name, []*node{c.mustNode(nodeName)})
}

func (c *Cluster) rowsOf(keyspaceName, name string, nodes []*node) ([]Row, error) {
	c.lock()
	defer c.mu.Unlock()
	p, err := c.prepare("SELECT * FROM "+keyspaceName+"."+name, "")
	if err != nil {
		return nil, err
	}
	now := c.nowSecond()
	var list []Row
	for _, key := range c.keysOf(p.table) {
		var parts []*partition
		for _, n := range nodes {
			if part := n.data.table(p.table.id).parts[key]; part != nil {
				parts = append(parts, part)
			}
		}
		merged := mergePartitions(parts)
		if merged == nil {
			continue
		}
		o := outcome{plan: p, now: now, limit: int(^uint(0) >> 1)}
		o.add(merged, false)
		live := make([]*row, 0, len(o.rows))
		for _, r := range merged.rows {
			if r.isLive(now) {
				live = append(live, r)
			}
		}
		for i, values := range o.rows {
			row, err := p.row(values)
			if err != nil {
				return nil, err
			}
			if i < len(live) {
				row.Times = p.table.times(now, live[i], merged.static)
				row.Expires = live[i].marker.ttl > 0
			}
			list = append(list, row)
		}
	}
	return list, nil
}

func (c *Cluster) nowSecond() int64 { return c.start.Unix() + c.now()/1e9 }

// row decodes the values of a row.
func (p *plan) row(values [][]byte) (Row, error) {
	out := Row{Values: map[string]any{}}
	for i, s := range p.selectors {
		if values[i] == nil {
			continue
		}
		var v any
		if err := gocql.Unmarshal(p.table.byName[s.columns[0]].typ.info, values[i], &v); err != nil {
			return out, err
		}
		out.Values[s.columns[0]] = v
	}
	return out, nil
}

// times returns the timestamps of the live cells of rows.
func (t *table) times(now int64, rows ...*row) map[string]int64 {
	found := map[string]int64{}
	for _, r := range rows {
		if r == nil {
			continue
		}
		for _, c := range r.cells {
			if c.isLive(now) && c.element == nil {
				found[t.columns[c.column].name] = c.at
			}
		}
	}
	return found
}

// Size is what a node holds of a table.
type Size struct {
	Partitions, Rows, Cells, Tombstones, Octets int
}

// SizeOf returns what a node holds of a table, dead or alive.
func (c *Cluster) SizeOf(nodeName, keyspaceName, name string) Size {
	c.lock()
	defer c.mu.Unlock()
	_, t := c.schema.find(keyspaceName, name)
	if t == nil {
		return Size{}
	}
	now := c.nowSecond()
	var s Size
	for _, p := range c.mustNode(nodeName).data.table(t.id).parts {
		s.Partitions++
		s.Octets += len(p.key)
		if !p.deleted.isLive() {
			s.Tombstones++
		}
		s.Tombstones += len(p.ranges)
		if p.static != nil {
			s.add(p.static, now)
		}
		for _, r := range p.rows {
			s.Rows++
			s.add(r, now)
		}
	}
	return s
}

func (s *Size) add(r *row, now int64) {
	s.Octets += len(r.position)
	if !r.deleted.isLive() {
		s.Tombstones++
	}
	s.Tombstones += len(r.overs)
	for _, c := range r.cells {
		s.Octets += len(c.value) + len(c.element) + 16
		if c.isLive(now) {
			s.Cells++
		} else {
			s.Tombstones++
		}
	}
}

// HintCount returns the count of hints that a node keeps, for all targets.
func (c *Cluster) HintCount(name string) int {
	c.lock()
	defer c.mu.Unlock()
	count := 0
	for _, s := range c.mustNode(name).hints.stores {
		count += s.count()
	}
	return count
}
