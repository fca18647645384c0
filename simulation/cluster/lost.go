package cluster

import (
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// LostRow is a row whose newest state only a lost datacenter had.
type LostRow struct {
	Keyspace, Table string
	// Key holds the values of the primary key, in the types that the driver for Go chooses.
	Key    map[string]any
	Change LostChange
}

// LostChange says what the other datacenters lack of a row.
type LostChange int

// The changes.
const (
	// LostAddition: no other datacenter has the row.
	LostAddition LostChange = iota + 1
	// LostRemoval: no other datacenter knows that the row was deleted.
	LostRemoval
	// LostUpdate: the others have an earlier state of the row.
	LostUpdate
	// LostQuorum: another datacenter has the state of the row, and fewer nodes of some datacenter than a quorum.
	LostQuorum
)

// onlyIn lists the rows whose newest state only the nodes of a datacenter have.
func (c *Cluster) onlyIn(datacenter string) (list []LostRow) {
	for _, space := range sortedNames(c.schema.keyspaces) {
		k := c.schema.keyspaces[space]
		for _, name := range sortedNames(k.tables) {
			t := k.tables[name]
			for _, key := range c.keysOf(t) {
				list = append(list, c.lostRows(datacenter, k, t, key)...)
			}
		}
	}
	return list
}

// lostRows lists the rows of a partition whose newest state only the nodes of a datacenter have.
func (c *Cluster) lostRows(datacenter string, k *keyspace, t *table, key string) (list []LostRow) {
	var own, others []*partition
	for _, n := range c.nodes {
		p := n.data.table(t.id).parts[key]
		switch {
		case p == nil:
		case n.datacenter == datacenter:
			own = append(own, p)
		default:
			others = append(others, p)
		}
	}
	if len(own) == 0 {
		return nil
	}
	all, kept := mergePartitions(slices.Concat(own, others)), mergePartitions(others)
	if kept == nil {
		kept = newPartition(key, all.token)
	}
	now := c.nowSecond()
	add := func(r *row, change LostChange) {
		if change > 0 {
			list = append(list, LostRow{t.keyspace, t.name, t.keyOf(key, r), change})
		}
	}
	for _, r := range all.rows {
		add(r, lostChange(r, kept, now, func() bool { return c.fewHave(datacenter, k, t, all, r) }))
	}
	for _, r := range kept.rows {
		if r.isLive(now) && all.at(r.position) == nil { // a deletion of an interval or of the partition
			add(r, LostRemoval)
		}
	}
	return list
}

// lostChange says what a partition lacks of a row; zero: nothing. few reports whether too few nodes have the row.
func lostChange(r *row, kept *partition, now int64, few func() bool) LostChange {
	k := kept.at(r.position)
	switch {
	case !r.isLive(now):
		if r.deleted.isLive() || k != nil && !k.deleted.isLive() || !kept.deletionAt(r.position).isLive() {
			return 0
		}
		return LostRemoval
	case k == nil || !k.isLive(now):
		return LostAddition
	case !sameRows(r, k):
		return LostUpdate
	case few():
		return LostQuorum
	}
	return 0
}

// fewHave reports whether fewer nodes of a datacenter than a quorum have a row, the lost datacenter left out.
func (c *Cluster) fewHave(lost string, k *keyspace, t *table, all *partition, r *row) bool {
	have, want := map[string]int{}, map[string]int{}
	for _, n := range c.ring.replicasOf(k, all.token) {
		want[n.datacenter]++
		if p := n.data.table(t.id).parts[all.key]; p != nil && sameRows(p.at(r.position), r) {
			have[n.datacenter]++
		}
	}
	for name, replicas := range want {
		if name != lost && have[name] < replicas/2+1 {
			return true
		}
	}
	return false
}

// keyOf decodes the primary key of a row.
func (t *table) keyOf(key string, r *row) map[string]any {
	values := map[string]any{}
	decode := func(c *column, data []byte) {
		var v any
		if err := gocql.Unmarshal(c.typ.info, data, &v); err == nil {
			values[c.name] = v
		}
	}
	for i, data := range t.keyParts(key) {
		decode(t.partition[i], data)
	}
	for i, data := range r.key {
		decode(t.cluster[i], data)
	}
	return values
}
