package servertest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"popelago/cassandratest"
)

// Node is a Cassandra node with the keyspace that the tests of a package have there, one after
// the other.
type Node struct {
	*cassandratest.Lazy
	Keyspace string
}

// SharedNode is a node for tests that do it no harm. Packages may share it.
func SharedNode(keyspace string) *Node {
	return &Node{cassandratest.Shared(keyspace), keyspace}
}

// OwnNode is a node for tests that kill or pause it.
func OwnNode(keyspace string) *Node {
	n := SharedNode(keyspace)
	n.Share = ""
	return n
}

// OnEachEngine runs a test with every storage engine.
func OnEachEngine(t *testing.T, n *Node, test func(t *testing.T, s Setup)) {
	t.Run("embedded", func(t *testing.T) { test(t, Setup{}) })
	t.Run("cassandra", func(t *testing.T) { test(t, n.Setup(t)) })
}

// Setup is what makes a server keep everything on the node, where nothing is yet. The schema is
// applied as an operator does it.
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
	rows := s.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", n.Keyspace).Iter()
	var wg sync.WaitGroup
	for table := ""; rows.Scan(&table); {
		if table == "schema_version" {
			continue
		}
		wg.Go(func() {
			found := s.Query(fmt.Sprintf("SELECT * FROM %s.%s LIMIT 1", n.Keyspace, table)).Iter()
			count := found.NumRows()
			if err := found.Close(); err != nil {
				t.Error(err)
			}
			if count > 0 {
				if err := s.Query(fmt.Sprintf("TRUNCATE %s.%s", n.Keyspace, table)).Exec(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := rows.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}
