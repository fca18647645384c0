package cassandratest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/cassandratest"
)

func TestParseDatacenters(t *testing.T) {
	got, err := cassandratest.ParseDatacenters("dc1:3,berlin:1")
	if err != nil || len(got) != 2 || got[0] != (cassandratest.Datacenter{Name: "dc1", Nodes: 3}) ||
		got[1] != (cassandratest.Datacenter{Name: "berlin", Nodes: 1}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "dc1", "dc1:0", "dc1:x", ":1", "a-b:1", "dc1:1,", "dc1:255"} {
		if got, err := cassandratest.ParseDatacenters(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, got)
		}
	}
}

func TestNoClusterToLoad(t *testing.T) {
	if _, err := cassandratest.Load(t.TempDir()); err == nil {
		t.Error("loaded a cluster from an empty folder")
	}
}

// Two processes with the same options get different clusters at the same time.
func TestKeptClusterHasOneUser(t *testing.T) {
	dir := t.TempDir()
	take := func(want string) (leave func()) {
		t.Helper()
		folder, _, ready, leave, err := cassandratest.TakeFolder(dir, "x", false)
		if err != nil || folder != filepath.Join(dir, want) {
			t.Fatalf("got %s, %v, want %s", folder, err, want)
		}
		check(t, ready())
		return leave
	}
	leave := take("x")
	defer take("x-2")()
	leave()
	defer take("x")()
	defer take("x-3")()
}

func TestWrongNetwork(t *testing.T) {
	for _, o := range []cassandratest.Options{{Network: -1}, {Network: 255}, {Network: 156, Link: true}} {
		o.Dir = t.TempDir()
		if _, err := cassandratest.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "want 1 to 254") {
			t.Errorf("network %d: %v", o.Network, err)
		}
	}
}

// A node is paused, resumed, killed and started again: by this process, through the file for the
// command, and by the next run with the kept cluster.
func TestLifeOfANode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Cassandra node")
	}
	kept := t.TempDir()
	t.Setenv(cassandratest.KeepVariable, kept)
	var first cassandratest.Lazy
	c := first.Get(t)
	t.Cleanup(func() { c.Stop() })
	ctx := t.Context()
	n := c.Node("dc1-1")
	if n == nil || len(c.Addresses("dc1")) != 1 || c.Addresses("dc1")[0] != n.Address {
		t.Fatalf("nodes: %v, addresses of dc1: %v", c.Nodes, c.Addresses("dc1"))
	}
	if err := n.Answers(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	if n.Answers(short) == nil {
		t.Error("a paused node answers")
	}
	loaded, err := cassandratest.Load(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if again := loaded.Node("dc1-1"); !again.Running() {
		t.Error("the loaded cluster's node is not running")
	} else if err := again.Resume(); err != nil {
		t.Error(err)
	}
	if err := n.WaitAnswers(ctx); err != nil {
		t.Fatal(err)
	}
	noticesCoordination(t, c)
	awaitsTokens(t, c.Nodes[0])
	log, err := os.ReadFile(filepath.Join(c.Dir, "dc1-1", "system.log"))
	if err != nil || !strings.Contains(string(log), "Cassandra version: "+c.Version) {
		t.Errorf("system.log does not name version %s (%v)", c.Version, err)
	}
	executeCQL(t, n, createKeyspace("other"), createKeyspace("wanted"))
	n.Kill()
	if n.Running() || loaded.Node("dc1-1").Running() || n.Answers(ctx) == nil {
		t.Error("the node runs after Kill")
	}
	first.End()

	second := cassandratest.Lazy{Keyspaces: []string{"wanted"}}
	c = second.Get(t)
	if again := c.Node("dc1-1"); c.Dir != loaded.Dir || again.Address != n.Address || again.Answers(ctx) != nil {
		t.Errorf("the killed node is not back: %s at %s, was %s at %s", c.Dir, again.Address, loaded.Dir, n.Address)
	}
	// Making an existing keyspace is an error, and so is dropping a missing one.
	executeCQL(t, c.Node("dc1-1"), createKeyspace("other"), "DROP KEYSPACE wanted")
	if err := c.Node("dc1-1").Pause(); err != nil {
		t.Fatal(err)
	}
	second.End()

	var third cassandratest.Lazy
	starts := countStarts(t, c)
	c = third.Get(t)
	if err := c.Node("dc1-1").Answers(ctx); err != nil || countStarts(t, c) != starts {
		t.Errorf("the paused node was started anew: %v", err)
	}
	third.End()
}

// noticesCoordination checks that Uncoordinated finds a lightweight transaction.
func noticesCoordination(t *testing.T, c *cassandratest.Cluster) {
	t.Helper()
	if err := cassandratest.Uncoordinated(c); err != nil {
		t.Errorf("a new cluster: %v", err)
	}
	executeCQL(t, c.Nodes[0], createKeyspace("traces"), "CREATE TABLE traces.count (name text PRIMARY KEY, n counter)")
	if err := cassandratest.Uncoordinated(c); err == nil || !strings.Contains(err.Error(), "traces.count is a counter") {
		t.Errorf("a table with a counter: %v", err)
	}
	executeCQL(t, c.Nodes[0], "DROP TABLE traces.count", "CREATE TABLE traces.once (name text PRIMARY KEY)",
		"INSERT INTO traces.once (name) VALUES ('alice') IF NOT EXISTS")
	if err := cassandratest.Uncoordinated(c); err == nil || !strings.Contains(err.Error(), "system.paxos of node dc1-1 has 1 rows") {
		t.Errorf("a conditional write: %v", err)
	}
}

// awaitsTokens checks that the start of a cluster waits until a node knows the tokens of another node.
func awaitsTokens(t *testing.T, n *cassandratest.Node) {
	t.Helper()
	s, err := n.Session(10 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pair := &cassandratest.Cluster{Nodes: []*cassandratest.Node{n, cassandratest.RunningAt("127.0.0.99")}}
	const want = "node dc1-1 does not know the tokens of dc1-2"
	if err := pair.Placed(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a node that the seed does not know: %v", err)
	}
	executeCQL(t, n, "INSERT INTO system.peers (peer, data_center) VALUES ('127.0.0.99', 'dc1')")
	if err := pair.Placed(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a node without tokens: %v", err)
	}
	executeCQL(t, n, "INSERT INTO system.peers (peer, tokens) VALUES ('127.0.0.99', {'5'})")
	if err := pair.Placed(t.Context(), s); err != nil {
		t.Errorf("a node with tokens: %v", err)
	}
	executeCQL(t, n, "DELETE FROM system.peers WHERE peer = '127.0.0.99'")
}

func createKeyspace(name string) string {
	return "CREATE KEYSPACE " + name + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
}

func executeCQL(t *testing.T, n *cassandratest.Node, statements ...string) {
	t.Helper()
	s, err := n.Session(10 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, statement := range statements {
		if err := s.Query(statement).Exec(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// countStarts counts the starts of a cluster's nodes in their logs.
func countStarts(t *testing.T, c *cassandratest.Cluster) int {
	t.Helper()
	count := 0
	for _, n := range c.Nodes {
		log, err := os.ReadFile(n.LogFile())
		if err != nil {
			t.Fatal(err)
		}
		count += strings.Count(string(log), "Cassandra version: ")
	}
	return count
}
