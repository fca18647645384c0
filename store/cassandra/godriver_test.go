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

// keyed is a statement on a partition.
type keyed struct{ gocql.ExecutableStatement }

func (keyed) GetRoutingKey() ([]byte, error) { return []byte("key"), nil }
func (keyed) Keyspace() string               { return "popelago" }

// Without any node, as between the two addresses of the only node of a datacenter, a statement finds no node.
func TestPickWithoutNode(t *testing.T) {
	for name, rack := range map[string]string{"datacenter": "", "rack": "rack1"} {
		cfg := Config{Datacenter: "dc1", Rack: rack}
		d := cfg.driver([]string{"127.0.0.1"})
		cfg.limitToDatacenter(d)
		policy := d.PoolConfig.HostSelectionPolicy
		policy.SetPartitioner("org.apache.cassandra.dht.Murmur3Partitioner")
		if host := policy.Pick(keyed{})(); host != nil {
			t.Errorf("%s: the node %v", name, host.Info())
		}
	}
}
