package cassandra_test

import (
	"flag"
	"os"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// cluster is the node that the tests of this package share with the tests of other packages. Tests
// that kill or pause nodes are in integration/nodes.
var cluster = cassandratest.Shared("test")

// seen collects the statements of all tests: see Observations.Uncoordinated. Each statement must
// follow the table of rules.
var seen = enginetest.Observations{Judge: judgeStatement}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("15") // each step has a dozen statements
	}
	cluster.Keyspaces, cluster.After = []string{keyspace()}, seen.Uncoordinated
	os.Exit(cluster.Main(m))
}

// config returns the configuration of the shared node.
func config(t testing.TB) cassandra.Config {
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	c := cluster.Get(t)
	return cassandra.Config{
		Hosts:       c.Addresses("dc1"),
		Datacenter:  "dc1",
		Keyspace:    keyspace(),
		Replication: map[string]int{"dc1": 1},
		SpoolDir:    t.TempDir(),
		Window:      time.Nanosecond, // deliveries of a test end at once
		ScanRate:    1_000_000,
		Observe:     seen.Observe,
		// A busy machine is no fault.
		Timeout: 2 * time.Minute, ConnectTimeout: time.Minute, QueueTime: time.Minute, ClockEvery: time.Minute,
		// A store learns of the others when it opens: no store takes a share of the work later.
		Heartbeat: time.Hour,
	}
}
