package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func ringOf(t *testing.T, nodes, racks int, replication map[string]int) (*ring, *keyspace, []*node) {
	t.Helper()
	c := &Cluster{config: Config{Random: rand.New(rand.NewPCG(1, 1))}.withDefaults(), byName: map[string]*node{}}
	for i, name := range []string{"dc1", "dc2"} {
		c.addDatacenter(i, Datacenter{Name: name, Nodes: nodes, Racks: racks, Tokens: 16})
	}
	return newRing(c.nodes), &keyspace{replication: replication}, c.nodes
}

func TestReplicas(t *testing.T) {
	for _, c := range []struct{ nodes, racks, want, wantRacks int }{{3, 1, 3, 1}, {2, 2, 2, 2}, {6, 3, 3, 3}, {6, 2, 3, 2}, {200, 3, 3, 3}} {
		t.Run(fmt.Sprintf("%d nodes on %d racks", c.nodes, c.racks), func(t *testing.T) {
			r, k, nodes := ringOf(t, c.nodes, c.racks, map[string]int{"dc1": 3, "dc2": 2})
			owned := map[*node]int{}
			for i := range r.tokens {
				replicas := r.replicasAt(k, i)
				count := map[string]int{}
				racks, seen := map[string]bool{}, map[*node]bool{}
				for _, n := range replicas {
					count[n.datacenter]++
					owned[n]++
					if seen[n] {
						t.Fatalf("node %s is twice a replica", n.name)
					}
					seen[n] = true
					if n.datacenter == "dc1" {
						racks[n.rack] = true
					}
				}
				if count["dc1"] != c.want || count["dc2"] != min(2, c.nodes) || len(racks) != c.wantRacks {
					t.Fatalf("range %d: replicas %v on %d racks", i, count, len(racks))
				}
			}
			if len(owned) != len(nodes) {
				t.Errorf("%d of %d nodes are replicas", len(owned), len(nodes))
			}
		})
	}
}

func TestRangeOfToken(t *testing.T) {
	r := &ring{tokens: []int64{-10, 0, 10}}
	for token, want := range map[int64]int{-11: 0, -10: 0, -9: 1, 0: 1, 1: 2, 10: 2, 11: 0} {
		if got := r.rangeOf(token); got != want {
			t.Errorf("range of %d: %d, want %d", token, got, want)
		}
	}
}
