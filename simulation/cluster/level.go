package cluster

import gocql "github.com/apache/cassandra-gocql-driver/v2"

// need is how many replicas a statement needs: in total, or in each of some datacenters.
type need struct {
	local string         // only replicas of this datacenter count; empty: all do
	total int            // replicas needed
	each  map[string]int // replicas needed in each datacenter; nil: total counts
}

// needOf returns the need of a consistency level at a coordinator. ok is false for a level that is not
// simulated.
func needOf(level gocql.Consistency, k *keyspace, replicas []*node, local string) (n need, ok bool) {
	count := func(datacenter string) (found int) {
		for _, r := range replicas {
			if datacenter == "" || r.datacenter == datacenter {
				found++
			}
		}
		return found
	}
	switch level {
	case gocql.One:
		return need{total: 1}, true
	case gocql.Two:
		return need{total: 2}, true
	case gocql.Three:
		return need{total: 3}, true
	case gocql.All:
		return need{total: count("")}, true
	case gocql.Quorum:
		return need{total: count("")/2 + 1}, true
	case gocql.LocalOne:
		return need{local: local, total: 1}, true
	case gocql.LocalQuorum:
		return need{local: local, total: count(local)/2 + 1}, true
	case gocql.EachQuorum:
		n.each = map[string]int{}
		for datacenter := range k.replication {
			n.each[datacenter] = count(datacenter)/2 + 1
			n.total += n.each[datacenter]
		}
		return n, true
	}
	return need{}, false
}

// counts returns how many of some replicas count for a need, and whether they are enough.
func (n need) counts(replicas []*node) (found int, enough bool) {
	if n.each == nil {
		for _, r := range replicas {
			if n.local == "" || r.datacenter == n.local {
				found++
			}
		}
		return found, found >= n.total
	}
	enough = true
	for datacenter, want := range n.each {
		have := 0
		for _, r := range replicas {
			if r.datacenter == datacenter {
				have++
			}
		}
		found += min(have, want)
		enough = enough && have >= want
	}
	return found, enough
}
