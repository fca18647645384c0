package cassandratest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
)

func TestReplacingNodeStreams(t *testing.T) {
	got := cassandratest.Streaming("a: 1\nauto_bootstrap: false\nseed_provider: [x]\nz: 2\n", "127.1.1.2")
	lines := strings.Split(got, "\n")
	if lines[0] != "a: 1" || lines[1] != "auto_bootstrap: true" || !strings.Contains(lines[2], `seeds: "127.1.1.2"`) || lines[3] != "z: 2" {
		t.Errorf("got %s", got)
	}
	args := []string{"netns", "exec", "x", "java", "-ea", "Main"}
	if got := cassandratest.Replacing(args, "127.1.1.1"); !slices.Equal(got, []string{"netns", "exec", "x", "java", "-ea",
		"-Dcassandra.replace_address_first_boot=127.1.1.1", "Main"}) {
		t.Errorf("got %q", got)
	}
}

func TestChangedSettings(t *testing.T) {
	got := cassandratest.Changed("a: 1\nab: 2\nz: 3\n", map[string]string{"a": "one", "new": "4"})
	if want := "a: one\nab: 2\nz: 3\nnew: 4\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A replaced node has all its data, without the help of the other nodes, and nodetool sees the node.
func TestReplace(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("takes minutes: set TEST_CHAOS=1")
	}
	ctx := t.Context()
	var steps []string
	c, err := cassandratest.New(ctx, cassandratest.Options{
		Dir: t.TempDir(), Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 2}}, Detached: true,
		Log: func(line string) { steps = append(steps, line) },
	})
	check(t, err)
	t.Cleanup(c.Stop)
	if all := strings.Join(steps, "\n"); !strings.Contains(all, "dc1-2 (2 of 2) starts") || !strings.Contains(all, "dc1-2 answers after") {
		t.Errorf("the start says:\n%s", all)
	}
	first, second := c.Nodes[0], c.Nodes[1]
	executeCQL(t, second, "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}",
		"CREATE TABLE k.t (a int PRIMARY KEY)", "INSERT INTO k.t (a) VALUES (1)", "INSERT INTO k.t (a) VALUES (2)")
	check(t, c.Replace(ctx, first)) // the seed
	tool, err := first.Nodetool(ctx, "status")
	check(t, err)
	if out, err := tool.CombinedOutput(); err != nil || strings.Count(string(out), "\nUN ") != 2 {
		t.Errorf("nodetool status: %v\n%s", err, out)
	}
	check(t, second.Wipe())
	s, err := first.Session(10 * time.Minute)
	check(t, err)
	defer s.Close()
	rows := s.Query("SELECT a FROM k.t").Consistency(gocql.One).Iter()
	if n := rows.NumRows(); n != 2 {
		t.Errorf("the new node has %d rows, want 2: %v", n, rows.Close())
	}
}

func TestReplaceTheOnlyNode(t *testing.T) {
	n := &cassandratest.Node{Name: "dc1-1"}
	c := &cassandratest.Cluster{Nodes: []*cassandratest.Node{n}}
	if err := c.Replace(t.Context(), n); err == nil || !strings.Contains(err.Error(), "no other node runs") {
		t.Errorf("got %v", err)
	}
}

func TestNodetoolNeedsAPort(t *testing.T) {
	n := &cassandratest.Node{Name: "dc1-1"}
	if _, err := n.Nodetool(t.Context(), "status"); err == nil || !strings.Contains(err.Error(), "no port for nodetool") {
		t.Errorf("got %v", err)
	}
}

// nodetool gets the jars of the node, with or without the node's own folder among them.
func TestNodetoolGetsTheJars(t *testing.T) {
	for _, classes := range []string{"/nodes/dc1-1:/jars/*", "/jars/*"} {
		n := cassandratest.NodeOf("/nodes/dc1-1", []string{"-ea", "-Dcassandra.jmx.local.port=7199", "-cp", classes, "Main"})
		tool, err := n.Nodetool(t.Context(), "status")
		check(t, err)
		if line := strings.Join(tool.Args, " "); !strings.Contains(line, " -cp /jars/* ") || !strings.HasSuffix(line, "-p 7199 status") {
			t.Errorf("with %s: %s", classes, line)
		}
	}
}

// A moved node has a new address in its own settings, and as a seed in the settings of all nodes.
func TestMove(t *testing.T) {
	c := &cassandratest.Cluster{}
	for _, name := range []string{"1", "2"} {
		dir := t.TempDir()
		check(t, os.WriteFile(filepath.Join(dir, "cassandra.yaml"),
			[]byte("listen_address: 127.9.1."+name+"\nrpc_address: 127.9.1."+name+"\nseed_provider: [x]\nz: 1\n"), 0o644))
		n := cassandratest.NodeOf(dir, nil)
		n.Name, n.Datacenter, n.Address = "dc1-"+name, "dc1", "127.9.1."+name
		c.Nodes = append(c.Nodes, n)
	}
	check(t, c.Move(c.Nodes[0]))
	check(t, c.Move(c.Nodes[1]))
	check(t, c.Move(c.Nodes[0]))
	for i, want := range []string{"127.9.1.103", "127.9.1.102"} {
		n := c.Nodes[i]
		text, err := os.ReadFile(filepath.Join(filepath.Dir(n.LogFile()), "cassandra.yaml"))
		check(t, err)
		lines := strings.Split(string(text), "\n")
		if n.Address != want || lines[0] != "listen_address: "+want || lines[1] != "rpc_address: "+want ||
			!strings.Contains(lines[2], `seeds: "127.9.1.103"`) || lines[3] != "z: 1" {
			t.Errorf("node %s at %s has the settings\n%s", n.Name, n.Address, text)
		}
	}
}
