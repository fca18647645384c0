package cluster

import (
	"fmt"
	"slices"
	"time"

	"popelago/store/cassandra/murmur"
)

// Repair makes the replicas of all partitions equal, and marks everything that all replicas have as repaired:
// with only_purge_repaired_tombstones a compaction may then forget its tombstones. Partitions with a replica
// that does not run, or that is cut off from another, are left out; the error counts them.
func (c *Cluster) Repair(keyspaceName string) error {
	c.lock()
	defer c.mu.Unlock()
	k := c.schema.keyspaces[keyspaceName]
	if k == nil {
		return fmt.Errorf("cluster: no keyspace %q", keyspaceName)
	}
	left := 0
	for _, name := range sortedNames(k.tables) {
		t := k.tables[name]
		for _, key := range c.keysOf(t) {
			replicas := c.ring.replicasOf(k, murmur.Token([]byte(key)))
			if !c.meet(replicas) {
				left++
				continue
			}
			repairPartition(t, key, replicas)
		}
	}
	if left > 0 {
		return fmt.Errorf("cluster: %d partitions have replicas that are away", left)
	}
	return nil
}

// keysOf lists the keys of a table at any node, in the order of the ring.
func (c *Cluster) keysOf(t *table) []string {
	var all []*partition
	for _, n := range c.nodes {
		all = append(all, n.data.table(t.id).sorted()...)
	}
	slices.SortFunc(all, ringOrder)
	var keys []string
	for _, p := range all {
		if len(keys) == 0 || keys[len(keys)-1] != p.key {
			keys = append(keys, p.key)
		}
	}
	return keys
}

// meet reports whether nodes all reach each other.
func (c *Cluster) meet(nodes []*node) bool {
	for i, a := range nodes {
		if !a.ready() {
			return false
		}
		for _, b := range nodes[:i] {
			if !c.linked(&a.peer, &b.peer) {
				return false
			}
		}
	}
	return true
}

// repairPartition gives all replicas the merged content, marked as repaired.
func repairPartition(t *table, key string, replicas []*node) {
	var parts []*partition
	for _, n := range replicas {
		if p := n.data.table(t.id).parts[key]; p != nil {
			parts = append(parts, p)
		}
	}
	merged := mergePartitions(parts)
	if merged == nil {
		return
	}
	m := &mutation{t, []*partition{merged.repaired()}}
	for _, n := range replicas {
		n.apply(m)
		if n.data.journal != nil {
			n.data.journal.sync() // a repair writes everything to disk
		}
	}
}

// repaired returns a copy with the mark on everything that is or can become a tombstone.
func (p *partition) repaired() *partition {
	m := newPartition(p.key, p.token)
	m.deleted = p.deleted.marked()
	if p.static != nil {
		m.static = p.static.repaired()
	}
	for _, r := range p.rows {
		m.rows = append(m.rows, r.repaired())
	}
	for _, r := range p.ranges {
		m.ranges = m.ranges.push(rangeDeletion{r.interval, r.deleted.marked()})
	}
	return m
}

func (d deletion) marked() deletion {
	d.repaired = !d.isLive()
	return d
}

func (r *row) repaired() *row {
	m := *r
	m.deleted = r.deleted.marked()
	m.marker.repaired = r.marker.at != noTimestamp
	m.overs = slices.Clone(r.overs)
	for i := range m.overs {
		m.overs[i].deleted = m.overs[i].deleted.marked()
	}
	m.cells = slices.Clone(r.cells)
	for i, c := range m.cells {
		if c.local != noDeletion && !c.repaired {
			marked := *c
			marked.repaired = true
			m.cells[i] = &marked
		}
	}
	return &m
}

// Compact makes a node forget the tombstones that it may forget: older than gc_grace_seconds by its clock and, in
// a table with only_purge_repaired_tombstones, repaired.
func (c *Cluster) Compact(name string) {
	c.lock()
	defer c.mu.Unlock()
	n := c.mustNode(name)
	for _, space := range sortedNames(c.schema.keyspaces) {
		tables := c.schema.keyspaces[space].tables
		for _, name := range sortedNames(tables) {
			n.compact(tables[name])
		}
	}
	if n.data.journal != nil {
		n.data.journal.sync()
	}
}

func (n *node) compact(t *table) {
	stored := n.data.table(t.id)
	now := n.moment().second
	purge := &purger{now: now, before: now - int64(t.gcGrace/time.Second), repairedOnly: t.purgeRepairedOnly}
	for _, p := range stored.sorted() {
		p.deleted = purge.deletion(p.deleted)
		p.ranges = purge.ranges(p.ranges)
		p.static = purge.row(p.static)
		kept := p.rows[:0]
		for _, r := range p.rows {
			if s := purge.row(r); s != nil {
				kept = append(kept, s)
			}
			n.cluster.counters.Purged++
		}
		clear(p.rows[len(kept):])
		p.rows = kept
	}
	stored.prune()
}
