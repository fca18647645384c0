package datacenters

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A line between two datacenters is cut and restored: the nodes of both lose and find each other, and
// this host reaches all nodes at all times.
func TestCut(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two Cassandra nodes")
	}
	c := datacenters.Get(t)
	t.Cleanup(func() { c.Heal("dc1", "dc2") })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	if err := c.Cut("dc1", "dc3"); err == nil {
		t.Error("cut a line to an unknown datacenter")
	}
	if err := c.Lag("dc1", "dc3", time.Second); err == nil {
		t.Error("a lag to an unknown datacenter")
	}
	for range 2 {
		if err := c.Cut("dc1", "dc2"); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.WaitUnseen(ctx, "dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if err := n.Answers(ctx); err != nil {
			t.Errorf("node %s: %v", n.Name, err)
		}
	}
	if err := c.Heal("dc2", "dc1"); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitSeen(ctx); err != nil {
		t.Fatal(err)
	}

	dropped := func() int {
		t.Helper()
		rules, err := exec.Command("ip", "-n", fmt.Sprintf("pl%dr", c.Network), "rule").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, rules)
		}
		return strings.Count(string(rules), "blackhole")
	}
	if err := c.CutOneWay("dc2", "dc1"); err != nil || dropped() != 1 {
		t.Errorf("cut one way: %v, %d rules, want 1", err, dropped())
	}
	if err := c.Heal("dc1", "dc2"); err != nil || dropped() != 0 {
		t.Errorf("healed: %v, %d rules, want none", err, dropped())
	}
}
