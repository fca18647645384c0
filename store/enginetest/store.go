package enginetest

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
	"popelago/store/cassandra"
)

// Keyspace is the one that most tests share. Another schema has another, so that a node that is
// kept from run to run never has one that was made by other code.
func Keyspace() string {
	schema, err := cassandra.Schema(cassandra.Config{Hosts: []string{"-"}, Datacenter: "dc1", Replication: map[string]int{"dc1": 1}})
	if err != nil {
		panic(err) // the configuration is constant
	}
	return fmt.Sprintf("test_%x", sha256.Sum256([]byte(schema)))[:13]
}

// Apply makes the schema, once.
func Apply(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	if _, err := cassandra.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// Open opens an empty store.
func Open(t testing.TB, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	Apply(t, cfg)
	Truncate(t, cfg)
	return Reopen(t, cfg)
}

// Reopen opens a store with what is there.
func Reopen(t testing.TB, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	s, err := cassandra.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Session is a connection of the test's own.
func Session(t testing.TB, cfg cassandra.Config) *gocql.Session {
	t.Helper()
	d := gocql.NewCluster(cfg.Hosts...)
	d.ProtoVersion = 4
	d.Timeout = 30 * time.Second
	d.Consistency = gocql.One
	s, err := d.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Truncate empties the tables, and keeps the schema.
func Truncate(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	if err := cassandratest.Empty(Session(t, cfg), cfg.Keyspace); err != nil {
		t.Fatal(err)
	}
}
