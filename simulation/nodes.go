package simulation

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/simulation/cluster"
	"popelago/store/cassandra"
)

// keyspace is the keyspace of the servers.
const keyspace = "popelago"

// nodes is the cluster of a world: its nodes have numbers, from 0.
type nodes struct {
	*cluster.Cluster
	names  []string
	config Config
}

// newNodes starts a cluster with the schema.
func newNodes(cfg Config, t *turns) (*nodes, error) {
	replication := map[string]int{}
	config := cluster.Config{
		Random: rand.New(rand.NewPCG(cfg.Seed, 3)), LogSync: -1,
		Serial: true, Turn: t.note,
	}
	if slices.ContainsFunc(cfg.Faults, func(f Fault) bool { return f.Kind == NodeLosesLog }) {
		config.LogSync = 0
	}
	for d := range cfg.Datacenters {
		replication[datacenter(d)] = cfg.replicas()
		config.Datacenters = append(config.Datacenters, cluster.Datacenter{Name: datacenter(d), Nodes: cfg.Nodes, Racks: cfg.Racks})
	}
	c, err := cluster.New(config)
	if err != nil {
		return nil, err
	}
	n := &nodes{Cluster: c, names: c.Nodes(), config: cfg}
	_, err = cassandra.Apply(context.Background(), cassandra.Config{
		Hosts: n.contacts(datacenter(0)), Datacenter: datacenter(0), Keyspace: keyspace, Replication: replication, Server: "schema",
		Cluster: n.Server("schema", datacenter(0), 0),
	})
	if err != nil {
		c.Close()
		return nil, err
	}
	return n, nil
}

// replicas is the count of replicas in each datacenter.
func (cfg Config) replicas() int { return min(cfg.Replicas, cfg.Nodes) }

// contacts lists contact points of a datacenter.
func (n *nodes) contacts(datacenter string) []string {
	var list []string
	for i := range min(3, n.config.Nodes) {
		list = append(list, net.JoinHostPort(n.Address(n.of(datacenter)[i]), "9042"))
	}
	return list
}

// of lists the nodes of a datacenter.
func (n *nodes) of(datacenter string) []string {
	var list []string
	for _, name := range n.names {
		if strings.HasPrefix(name, datacenter+"-") {
			list = append(list, name)
		}
	}
	return list
}

// isolate cuts the lines of a node to everybody.
func (n *nodes) isolate(name string) {
	for d := range n.config.Datacenters {
		n.Cut(name, datacenter(d))
	}
}

// alone cuts or heals the lines of a node to all other nodes.
func (n *nodes) alone(name string, change func(a, b string)) {
	for _, other := range n.names {
		if other != name {
			change(name, other)
		}
	}
}

// join mends the lines of a node.
func (n *nodes) join(name string) {
	for d := range n.config.Datacenters {
		n.Heal(name, datacenter(d))
	}
}

// work counts what the nodes did: reads and writes of replicas.
func (n *nodes) work() int64 {
	c := n.Counters()
	return c.Reads + c.Writes + c.Scans
}

// repair repairs all nodes. Errors: a node is away, and a part was not repaired.
func (n *nodes) repair() error { return n.Repair(keyspace) }

// contents lists the messages with a first chunk.
func (n *nodes) contents() (map[mail.MessageID]bool, error) {
	rows, err := n.Rows(keyspace, "content")
	all := map[mail.MessageID]bool{}
	for _, row := range rows {
		if id, ok := row.Values["message"].(gocql.UUID); ok && row.Values["chunk"] == 0 {
			all[mail.MessageID(id)] = true
		}
	}
	return all, err
}
