package cluster

import (
	"maps"
	"math"
	"slices"
	"sort"
)

// ring holds the tokens of all nodes, in order. A token owns the tokens before it, up to the next lower one.
type ring struct {
	tokens []int64
	owners []*node
	// replicas caches the replicas of each range, by keyspace; sizes the sizes of datacenters.
	replicas map[*keyspace][][]*node
	sizes    map[string]size
}

// size is the size of a datacenter.
type size struct{ racks, nodes int }

func newRing(nodes []*node) *ring {
	type entry struct {
		token int64
		owner *node
	}
	var all []entry
	for _, n := range nodes {
		for _, t := range n.tokens {
			all = append(all, entry{t, n})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].token < all[j].token })
	r := &ring{replicas: map[*keyspace][][]*node{}, sizes: map[string]size{}}
	for _, e := range all {
		r.tokens, r.owners = append(r.tokens, e.token), append(r.owners, e.owner)
	}
	for _, n := range nodes {
		r.sizes[n.datacenter] = r.sizeOf(n.datacenter)
	}
	return r
}

// rangeOf returns the index of the range that holds a token.
func (r *ring) rangeOf(token int64) int {
	i, _ := slices.BinarySearch(r.tokens, token)
	if i == len(r.tokens) {
		return 0
	}
	return i
}

// replicasOf returns the replicas of a token.
func (r *ring) replicasOf(k *keyspace, token int64) []*node { return r.replicasAt(k, r.rangeOf(token)) }

// replicasAt returns the replicas of a range, by the order of the ring.
func (r *ring) replicasAt(k *keyspace, i int) []*node {
	all := r.replicas[k]
	if all == nil {
		all = make([][]*node, len(r.tokens))
		r.replicas[k] = all
	}
	if all[i] == nil {
		all[i] = r.place(k, i)
	}
	return all[i]
}

// place chooses replicas as NetworkTopologyStrategy does: in each datacenter the next nodes of the ring, on
// racks without a replica as long as there are such racks.
func (r *ring) place(k *keyspace, first int) []*node {
	var found []*node
	for _, name := range slices.Sorted(maps.Keys(k.replication)) {
		want := k.replication[name]
		want = min(want, r.sizes[name].nodes)
		repeats := want - r.sizes[name].racks // replicas on racks that have one
		used := map[string]bool{}
		taken := map[*node]bool{}
		for i := 0; i < len(r.owners) && len(taken) < want; i++ {
			n := r.owners[(first+i)%len(r.owners)]
			if n.datacenter != name || taken[n] {
				continue
			}
			if used[n.rack] {
				if repeats <= 0 {
					continue
				}
				repeats--
			}
			used[n.rack], taken[n] = true, true
			found = append(found, n)
		}
	}
	return found
}

// sizeOf counts the racks and nodes of a datacenter.
func (r *ring) sizeOf(datacenter string) size {
	seenRacks, seen := map[string]bool{}, map[*node]bool{}
	for _, n := range r.owners {
		if n.datacenter == datacenter {
			seenRacks[n.rack], seen[n] = true, true
		}
	}
	return size{len(seenRacks), len(seen)}
}

// partitionsOf yields the partitions of a range.
func (r *ring) partitionsOf(i int, t *stored, yield func(*partition)) {
	all := func(from place, to int64) {
		for _, p := range t.from(from) {
			if p.token > to {
				return
			}
			yield(p)
		}
	}
	last := r.tokens[len(r.tokens)-1]
	if i == 0 {
		all(place{token: math.MinInt64}, r.tokens[0])
		if last != r.tokens[0] {
			all(place{token: last, kind: afterToken}, math.MaxInt64)
		}
		return
	}
	all(place{token: r.tokens[i-1], kind: afterToken}, r.tokens[i])
}
