package nodes

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mailtest"
	"popelago/store/cassandra"
)

// datacenters are two datacenters with one node each, for the tests of TestTwoDatacenters in turn.
var datacenters = cassandratest.Lazy{
	Options: cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 1}, {Name: "dc2", Nodes: 1}},
		Settings: map[string]string{
			keepHints: "false", "hints_flush_period": "1000ms",
			// A busy machine is no fault.
			"read_request_timeout": "20s", "write_request_timeout": "20s",
		},
	},
	After: seen.Uncoordinated,
}

// keepHints is the setting of a node that decides whether the node keeps hints.
const keepHints = "hinted_handoff_enabled"

// pair is a test on two datacenters.
type pair struct {
	*testing.T
	cluster *cassandratest.Cluster
	s1, s2  *cassandra.Store
	w       *watched // the reports of s1 about nodes
}

// newPair returns datacenters, whole. Only the nodes of the named datacenters keep hints. Nodes left down by the
// test before are started, and nodes with a wrong setting are restarted.
func newPair(t *testing.T, hintsIn ...string) *pair {
	t.Helper()
	if testing.Short() {
		t.Skip("needs two Cassandra nodes")
	}
	e := &pair{T: t, cluster: datacenters.Get(t)}
	for _, n := range e.cluster.Nodes {
		hints := slices.Contains(hintsIn, n.Datacenter)
		if e.setting(n, keepHints) != fmt.Sprint(hints) {
			n.Kill()
			e.setHints(n, hints)
			n.Restart(t)
		}
	}
	if err := e.cluster.WaitSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

// setting reads a setting of a node; "" if the node is down.
func (e *pair) setting(n *cassandratest.Node, name string) (value string) {
	e.Helper()
	if !n.Running() {
		return ""
	}
	s, err := n.Session(10 * time.Minute)
	if err != nil {
		e.Fatal(err)
	}
	defer s.Close()
	if err := s.Query("SELECT value FROM system_views.settings WHERE name = ?", name).Scan(&value); err != nil {
		e.Fatal(err)
	}
	return value
}

// setHints decides whether a node keeps hints from its next start on.
func (e *pair) setHints(n *cassandratest.Node, hints bool) {
	e.Helper()
	if err := n.ChangeSettings(map[string]string{keepHints: fmt.Sprint(hints)}); err != nil {
		e.Fatal(err)
	}
}

func (e *pair) config(datacenter string) cassandra.Config {
	return cassandra.Config{
		Hosts:       e.cluster.Addresses(datacenter),
		Datacenter:  datacenter,
		Replication: map[string]int{"dc1": 1, "dc2": 1},
		Reconnect:   200 * time.Millisecond,
		Window:      time.Nanosecond,
		ScanRate:    1_000_000,
		Observe:     seen.Observe,
		Timeout:     30 * time.Second, ConnectTimeout: 30 * time.Second, QueueTime: time.Minute, ClockEvery: time.Minute,
	}
}

// away runs f while a node is down, and waits until the node is back and seen. From then on the node keeps
// hints, for the next test.
func (e *pair) away(node string, f func()) {
	e.Helper()
	n := e.cluster.Node(node)
	n.Kill()
	f()
	e.setHints(n, true)
	n.Restart(e.T)
	if err := e.cluster.WaitSeen(e.Context()); err != nil {
		e.Fatal(err)
	}
	for _, s := range []*cassandra.Store{e.s1, e.s2} {
		mailtest.WaitFor(e.T, 10*time.Minute, func() error { _, err := s.ListDomains(e.Context()); return err })
	}
}
