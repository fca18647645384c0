package enginetest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
	"popelago/mailtest"
	"popelago/store/cassandra"
)

// Keyspace returns the keyspace that most tests share. Its name depends on the schema, so that a kept node
// never has a keyspace of another schema under the name.
func Keyspace() string {
	schema, err := cassandra.Schema(cassandra.Config{Hosts: []string{"-"}, Datacenter: "dc1", Replication: map[string]int{"dc1": 1}})
	if err != nil {
		panic(err) // the configuration is constant
	}
	return fmt.Sprintf("test_%x", sha256.Sum256([]byte(schema)))[:13]
}

// schema is held by tests that change the schema, and shared by tests that open a store. A driver that hears of a
// change while it opens a session, for longer than a second, races with itself.
var schema sync.RWMutex

// Apply makes the schema, once. On several nodes the tables are made before, see prepare.
func Apply(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	schema.Lock()
	defer schema.Unlock()
	if len(cfg.Hosts) > 1 || len(cfg.Replication) > 1 {
		prepare(t, cfg)
	}
	if _, err := cassandra.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// prepare makes the tables on several nodes, and waits once for their agreement. The engine would wait some
// seconds after each table.
func prepare(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	status, err := cassandra.Status(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if status.Applied > 0 {
		return
	}
	statements, err := cassandra.Schema(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d := driver(cfg.Hosts[0])
	d.HostFilter = gocql.WhiteListHostFilter(cfg.Hosts[0]) // this node knows of each change at once
	d.MaxWaitSchemaAgreement = -1                          // the driver would wait, too
	s := connect(t, d)
	defer s.Close()
	for cql := range strings.SplitSeq(strings.TrimSpace(statements), ";\n") {
		if cql == "" {
			continue
		}
		if err := s.Query(strings.TrimSuffix(cql, ";")).Exec(); err != nil {
			t.Fatalf("%s: %v", cql, err)
		}
	}
	patient := Session(t, cfg)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return patient.AwaitSchemaAgreement(t.Context()) })
}

// Open opens an empty store.
func Open(t testing.TB, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	Apply(t, cfg)
	Truncate(t, cfg)
	return Reopen(t, cfg)
}

// Reopen opens a store and keeps its rows.
func Reopen(t testing.TB, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	schema.RLock()
	s, err := cassandra.Open(t.Context(), cfg)
	schema.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Session returns a connection for the test alone.
func Session(t testing.TB, cfg cassandra.Config) *gocql.Session {
	t.Helper()
	return connect(t, driver(cfg.Hosts...))
}

// driver returns the configuration of Session.
func driver(hosts ...string) *gocql.ClusterConfig {
	d := gocql.NewCluster(hosts...)
	d.ProtoVersion = 4
	d.Authenticator = gocql.PasswordAuthenticator{Username: "cassandra", Password: "cassandra"} // if a node asks
	d.Timeout, d.ConnectTimeout = 2*time.Minute, time.Minute                                    // a busy machine is no fault
	d.Consistency = gocql.One
	d.Metadata.CacheMode = gocql.Disabled // the driver races with itself when the schema changes while it connects
	return d
}

// connect opens a connection until the end of the test.
func connect(t testing.TB, d *gocql.ClusterConfig) *gocql.Session {
	t.Helper()
	s, err := d.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			s.Close()
		}()
		select {
		case <-closed:
		case <-time.After(10 * time.Second): // the driver never returns while it makes its control connection again
		}
	})
	return s
}

// Truncate empties the tables, and keeps the schema.
func Truncate(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	if err := cassandratest.Empty(Session(t, cfg), cfg.Keyspace); err != nil {
		t.Fatal(err)
	}
}
