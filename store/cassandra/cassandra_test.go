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

// cluster is the one node that the tests of this package share, with each other and with those of
// other packages. Tests that kill or pause nodes are in integration/nodes.
var cluster = cassandratest.Shared("test")

// seen gathers what all statements of all tests had in common: see Observations.Uncoordinated. All
// have to be as the table of statements says.
var seen = enginetest.Observations{Judge: judgeStatement}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("15") // each step is a dozen statements
	}
	cluster.Keyspaces, cluster.After = []string{keyspace()}, seen.Uncoordinated
	os.Exit(cluster.Main(m))
}

// config is the configuration of the shared node.
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
		Window:      time.Nanosecond, // nothing in a test is under way for long
		ScanRate:    1_000_000,
		Observe:     seen.Observe,
		Timeout:     2 * time.Minute, ConnectTimeout: time.Minute,
	}
}
