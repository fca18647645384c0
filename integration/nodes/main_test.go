package nodes

import (
	"os"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// cluster is one node that asks for a user. A test that kills or pauses the node must bring it back.
var cluster = cassandratest.Lazy{
	Options: cassandratest.Options{Settings: map[string]string{
		"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer",
		"permissions_validity": "0ms", "roles_validity": "0ms", "credentials_validity": "0ms",
		// A busy machine is no fault.
		"read_request_timeout": "20s", "write_request_timeout": "20s",
	}},
	After: seen.Uncoordinated,
}

// seen collects observations of all statements of all tests: see Uncoordinated.
var seen enginetest.Observations

func TestMain(m *testing.M) {
	dns.serve()
	cluster.Keyspaces = []string{enginetest.Keyspace()}
	trio.Keyspaces = []string{trioKeyspace(1), trioKeyspace(3)}
	os.Exit(cassandratest.Main(m, &cluster, &datacenters, &trio))
}

// config returns the configuration of a store on the one node.
func config(t testing.TB) cassandra.Config {
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	return cassandra.Config{
		Hosts:       cluster.Get(t).Addresses("dc1"),
		Datacenter:  "dc1",
		Keyspace:    enginetest.Keyspace(),
		Replication: map[string]int{"dc1": 1},
		SpoolDir:    t.TempDir(),
		Username:    "cassandra",
		Password:    "cassandra",
		Window:      time.Nanosecond, // no write of a test stays in flight for long
		ScanRate:    1_000_000,
		Observe:     seen.Observe,
		Timeout:     2 * time.Minute, ConnectTimeout: time.Minute, QueueTime: time.Minute, ClockEvery: time.Minute,
	}
}

// impatient opens a store with short time-outs, and waits until its clock was compared. On a busy machine both may need several
// attempts.
func impatient(t *testing.T, cfg cassandra.Config) (s *cassandra.Store) {
	t.Helper()
	cfg.Timeout = 300 * time.Millisecond
	mailtest.WaitFor(t, 10*time.Minute, func() (err error) {
		s, err = cassandra.Open(t.Context(), cfg)
		return err
	})
	t.Cleanup(func() { s.Close() })
	mailtest.WaitFor(t, 10*time.Minute, func() error { return s.CompareClock(t.Context()) })
	return s
}
