package integration

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/pop3server/pop3test"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/cassandra"
)

// node is the Cassandra node that the tests share which need no more than one.
var node = cassandratest.Lazy{Options: cassandratest.Options{Settings: map[string]string{
	// A busy machine is no fault.
	"read_request_timeout": "1m", "write_request_timeout": "1m",
}}, After: cassandratest.Uncoordinated}

// keyspace is the one on node that these tests share, one after the other.
const keyspace = "integration"

// onEachEngine runs a test with every storage engine.
func onEachEngine(t *testing.T, test func(t *testing.T, s setup)) {
	t.Run("embedded", func(t *testing.T) { test(t, setup{}) })
	t.Run("cassandra", func(t *testing.T) { test(t, onCassandra(t)) })
}

// onCassandra is what makes a server keep everything on node, where nothing is yet. The schema is
// applied as an operator does it.
func onCassandra(t *testing.T) setup {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	s := setup{cassandra: true, settings: []string{
		`store.engine = "cassandra"`,
		fmt.Sprintf("cassandra.hosts = [%q]", node.Get(t).Addresses("dc1")[0]),
		`cassandra.datacenter = "dc1"`,
		fmt.Sprintf("cassandra.keyspace = %q", keyspace),
		`cassandra.replication = {dc1 = 1}`,
		// A busy machine is no fault.
		`cassandra.timeout = "2m"`, `cassandra.connect_timeout = "1m"`, `cassandra.queue_time = "1m"`,
	}}
	applier := newServer(t, s)
	program{limit: 5 * time.Minute}.must(t, binary(t), "schema", "apply", "--config", applier.conf)
	emptyKeyspace(t)
	return s
}

// emptyKeyspace removes all rows and keeps the schema.
func emptyKeyspace(t *testing.T) {
	t.Helper()
	s, err := node.Get(t).Nodes[0].Session(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rows := s.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", keyspace).Iter()
	var wg sync.WaitGroup
	for table := ""; rows.Scan(&table); {
		if table == "schema_version" {
			continue
		}
		wg.Go(func() {
			found := s.Query(fmt.Sprintf("SELECT * FROM %s.%s LIMIT 1", keyspace, table)).Iter()
			n := found.NumRows()
			if err := found.Close(); err != nil {
				t.Error(err)
			}
			if n > 0 {
				if err := s.Query(fmt.Sprintf("TRUNCATE %s.%s", keyspace, table)).Exec(); err != nil {
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

// TestTranscriptsOnCassandra runs the transcripts of all protocols, which pop3server and
// smtpserver run on the embedded engine, on the other one.
func TestTranscriptsOnCassandra(t *testing.T) {
	onCassandra(t)
	open := func(t *testing.T) store.Store {
		emptyKeyspace(t)
		st, err := cassandra.Open(t.Context(), cassandra.Config{
			Hosts:      node.Get(t).Addresses("dc1"),
			Datacenter: "dc1",
			Keyspace:   keyspace,
			SpoolDir:   t.TempDir(),
			Timeout:    2 * time.Minute, ConnectTimeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := st.Close(); err != nil {
				t.Errorf("close the store: %v", err)
			}
		})
		return st
	}
	t.Run("pop3", func(t *testing.T) {
		pop3test.RunTranscripts(t, "../pop3server/testdata/pop3/*.txt", open)
	})
	smtptest.RunTranscripts(t, "../smtpserver/testdata", open)
}
