package cassandra

import (
	"net"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// A new node that takes the address of an old node stays in the policy when the driver removes the old node.
func TestPolicyKeepsNewNodeAtOldAddress(t *testing.T) {
	policy := newUntriedHosts(gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy("dc1"), gocql.ShuffleReplicas()))
	policy.SetPartitioner("org.apache.cassandra.dht.Murmur3Partitioner")
	host := func(address string) *gocql.HostInfo {
		h, err := gocql.NewTestHostInfoFromRow(map[string]any{
			"peer": net.ParseIP(address), "rpc_address": net.ParseIP(address), "data_center": "dc1", "rack": "rack1",
			"host_id": gocql.MustRandomUUID(), "tokens": []string{"1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	want := func(what string, hosts ...*gocql.HostInfo) {
		t.Helper()
		got := map[string]bool{}
		next := policy.Pick(nil)
		for h := next(); h != nil; h = next() {
			got[h.Info().HostID()] = true
		}
		if len(got) != len(hosts) {
			t.Errorf("%s: %d nodes are picked, want %d", what, len(got), len(hosts))
		}
		for _, h := range hosts {
			if !got[h.HostID()] {
				t.Errorf("%s: the node %s at %s is not picked", what, h.HostID(), h.ConnectAddress())
			}
		}
	}
	first, other, second := host("10.0.0.1"), host("10.0.0.2"), host("10.0.0.1")
	policy.AddHosts([]*gocql.HostInfo{first, other})
	want("at first", first, other)
	policy.AddHost(second)
	policy.RemoveHost(first)
	want("with a new node at the address of the first", second, other)
	policy.RemoveHost(second)
	want("without the new node", other)
}
