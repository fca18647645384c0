package servertest

import (
	"fmt"
	"testing"
	"time"

	"popelago/cassandratest"
)

// Node is a Cassandra node with one keyspace, which the tests of a package use one after the other.
type Node struct {
	*cassandratest.Lazy
	Keyspace string
}

// SharedNode is a node for tests that do it no harm. Packages may share the node.
func SharedNode(keyspace string) *Node {
	return &Node{cassandratest.Shared(keyspace), keyspace}
}

// OnEachEngine runs a test with every storage engine.
func OnEachEngine(t *testing.T, n *Node, test func(t *testing.T, s Setup)) {
	t.Run("embedded", func(t *testing.T) { test(t, Setup{}) })
	t.Run("cassandra", func(t *testing.T) { test(t, n.Setup(t)) })
}

// Setup returns the settings of a server on the node, with an empty storage. The schema is applied
// by the operator's command.
func (n *Node) Setup(t *testing.T) Setup {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	s := Setup{Cassandra: true, Settings: []string{
		`store.engine = "cassandra"`,
		fmt.Sprintf("cassandra.hosts = [%q]", n.Get(t).Addresses("dc1")[0]),
		`cassandra.datacenter = "dc1"`,
		fmt.Sprintf("cassandra.keyspace = %q", n.Keyspace),
		`cassandra.replication = {dc1 = 1}`,
		// A busy machine is no fault.
		`cassandra.timeout = "2m"`, `cassandra.connect_timeout = "1m"`, `cassandra.queue_time = "1m"`,
	}}
	applier := NewServer(t, s)
	Program{}.Must(t, Binary(t), "schema", "apply", "--config", applier.Conf)
	n.Empty(t)
	return s
}

// Empty removes all rows and keeps the schema.
func (n *Node) Empty(t *testing.T) {
	t.Helper()
	s, err := n.Get(t).Nodes[0].Session(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := cassandratest.Empty(s, n.Keyspace); err != nil {
		t.Fatal(err)
	}
}
