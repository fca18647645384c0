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

// One node is paused, resumed, killed and started again, by this process and by way of the
// file that the command uses.
func TestLifeOfANode(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a Cassandra node")
	}
	c := cassandratest.Start(t, cassandratest.Options{})
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
	if err := c.Save(); err != nil {
		t.Fatal(err)
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
	log, err := os.ReadFile(filepath.Join(c.Dir, "dc1-1", "system.log"))
	if err != nil || !strings.Contains(string(log), "Cassandra version: "+c.Version) {
		t.Errorf("system.log does not name version %s (%v)", c.Version, err)
	}
	n.Kill()
	if n.Running() || loaded.Node("dc1-1").Running() || n.Answers(ctx) == nil {
		t.Error("the node runs after Kill")
	}
	n.Restart(t)
}
