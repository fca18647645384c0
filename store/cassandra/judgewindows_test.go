package cassandra

import (
	"testing"
	"time"
)

func TestJudgeWindows(t *testing.T) {
	servers := []serverWindow{
		{datacenter: "dc1", name: "this configuration", window: time.Hour}, {datacenter: "dc1", name: "a", window: time.Hour},
		{datacenter: "dc2", name: "older", window: -1},
	}
	say(t, []Finding{judgeWindows(servers)}, FindingOK, "cassandra.window is 1h0m0s", "2 running servers")
	servers = append(servers, serverWindow{datacenter: "dc2", name: "b", window: 15 * time.Minute})
	say(t, []Finding{judgeWindows(servers)}, FindingError, "15m0s on b in dc2; cassandra.window is 1h0m0s on a in dc1, this configuration in dc1: background work waits")
}

// A wrong clock of this machine is a single finding for any number of nodes.
func TestJudgeOwnClock(t *testing.T) {
	nodes := append(three("dc1"), three("dc2")...)
	for i := range nodes {
		nodes[i].ahead = 3*time.Hour + time.Duration(i)*time.Second
	}
	if found := judgeClocks(nodes); len(found) != 1 {
		t.Errorf("%d findings: %+v", len(found), found)
	}
	say(t, judgeClocks(nodes), FindingError, "this machine's clock is 3h0m0s behind those of all 6 nodes")
	nodes[5].ahead = 0
	if found := judgeClocks(nodes); len(found) != 5 {
		t.Errorf("%d findings: %+v", len(found), found)
	}
}
