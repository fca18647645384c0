package cassandra_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"popelago/store/cassandra"
)

// Every command refuses a keyspace from before the keys were fixed, names the remedy, and leaves the
// keyspace unchanged.
func TestKeyspaceWithOtherKeys(t *testing.T) {
	cfg := config(t)
	cfg.Keyspace = "test_layout"
	cql := session(t, cfg)
	for _, statement := range []string{
		"CREATE KEYSPACE IF NOT EXISTS test_layout WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}",
		"CREATE TABLE IF NOT EXISTS test_layout.schema_version (name text, version int, applied bigint, PRIMARY KEY ((name), version))",
		"INSERT INTO test_layout.schema_version (name, version, applied) VALUES ('popelago', 1, 1)",
	} {
		if err := cql.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, cassandra.ErrSchemaLayout) {
			t.Errorf("%s: %v, want %v", what, err, cassandra.ErrSchemaLayout)
			return
		}
		for _, want := range []string{"before the first release", "DROP KEYSPACE", "test_layout has version 1"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s does not say %q: %v", what, want, err)
			}
		}
	}
	_, err := cassandra.Apply(t.Context(), cfg)
	check("Apply", err)
	status, err := cassandra.Status(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	check("Check", status.Check())
	s, err := cassandra.Open(t.Context(), cfg)
	if err == nil {
		s.Close()
	}
	check("Open", err)
	var tables int
	if err := cql.Query("SELECT count(*) FROM system_schema.tables WHERE keyspace_name = 'test_layout'").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("%d tables, %v; want schema_version alone", tables, err)
	}
	found := doctor(t, cfg)
	if text := fmt.Sprint(found.Errors()); !strings.Contains(text, "DROP KEYSPACE") {
		t.Errorf("doctor says %s", text)
	}
}
