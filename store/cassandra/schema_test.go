package cassandra_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"popelago/store/cassandra"
)

func TestSchemaText(t *testing.T) {
	cfg := cassandra.Config{Hosts: []string{"x"}, Datacenter: "dc1", Replication: map[string]int{"dc2": 2, "dc1": 3}}
	text, err := cassandra.Schema(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"CREATE KEYSPACE IF NOT EXISTS popelago WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 2}",
		"CREATE TABLE IF NOT EXISTS popelago.mailbox (", "CREATE TABLE IF NOT EXISTS popelago.schema_version (",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "counter") {
		t.Error("there is a counter")
	}
	for _, table := range []string{"mailbox", "content", "trash", "floor", "address"} {
		statement := regexp.MustCompile(`(?s)popelago\.` + table + ` .*?;`).FindString(text)
		for _, option := range []string{"'only_purge_repaired_tombstones': 'true'", "read_repair = 'BLOCKING'", "speculative_retry = 'MIN(99p,500ms)'"} {
			if !strings.Contains(statement, option) {
				t.Errorf("table %s has no %s:\n%s", table, option, statement)
			}
		}
	}
}

func TestWrongConfig(t *testing.T) {
	good := cassandra.Config{Hosts: []string{"127.0.0.1"}, Datacenter: "dc1", Replication: map[string]int{"dc1": 1}}
	for name, spoil := range map[string]func(*cassandra.Config){
		"no hosts":             func(c *cassandra.Config) { c.Hosts = nil },
		"no datacenter":        func(c *cassandra.Config) { c.Datacenter = "" },
		"keyspace":             func(c *cassandra.Config) { c.Keyspace = "a-b" },
		"protocol":             func(c *cassandra.Config) { c.ProtocolVersion = 3 },
		"no local replicas":    func(c *cassandra.Config) { c.Replication = map[string]int{"dc2": 3} },
		"negative replication": func(c *cassandra.Config) { c.Replication = map[string]int{"dc1": 1, "dc2": -1} },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := cassandra.Schema(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A schema that is missing, half there, older, newer or right, applied again and again.
func TestSchemaOnANode(t *testing.T) {
	cfg := config(t)
	cfg.Keyspace = "test_schema"
	ctx := t.Context()
	cql := session(t, cfg)
	refused := func(want error) {
		t.Helper()
		s, err := cassandra.Open(ctx, cfg)
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "test_schema") {
			t.Errorf("Open: %v, want %v with the keyspace", err, want)
		}
	}
	do := func(format string, args ...any) {
		t.Helper()
		if err := cql.Query(fmt.Sprintf(format, args...)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	refused(cassandra.ErrSchemaMissing)
	do("CREATE KEYSPACE test_schema WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}")
	refused(cassandra.ErrSchemaMissing)
	before, err := cassandra.Apply(ctx, cfg)
	if err != nil || before.Applied != 0 {
		t.Fatalf("Apply: %+v, %v", before, err)
	}
	before, err = cassandra.Apply(ctx, cfg)
	if err != nil || before.Applied != cassandra.SchemaVersion() {
		t.Fatalf("Apply again: %+v, %v", before, err)
	}
	status, err := cassandra.Status(ctx, cfg)
	if err != nil || status.Check() != nil || status.Applied != status.Known || status.Replication["dc1"] != 1 || status.Since.IsZero() {
		t.Fatalf("Status: %+v, %v", status, err)
	}
	s, err := cassandra.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if fits, err := cassandra.FitsByColumns(ctx, cfg); err != nil || !fits {
		t.Errorf("the tables have the columns of this program: %v, %v", fits, err)
	}
	do("INSERT INTO test_schema.schema_version (name, version, applied) VALUES ('popelago', %d, 1)", cassandra.SchemaVersion()+1)
	refused(cassandra.ErrSchemaNewer)
	if _, err := cassandra.Apply(ctx, cfg); !errors.Is(err, cassandra.ErrSchemaNewer) {
		t.Errorf("Apply: %v, want %v", err, cassandra.ErrSchemaNewer)
	}
	do("DELETE FROM test_schema.schema_version WHERE name = 'popelago'")
	refused(cassandra.ErrSchemaMissing) // as if Apply had not come to its end
	if _, err := cassandra.Apply(ctx, cfg); err != nil {
		t.Errorf("Apply of the present version: %v", err)
	}
	older := cassandra.SchemaStatus{Keyspace: "k", Known: 3, Applied: 2}
	if err := older.Check(); !errors.Is(err, cassandra.ErrSchemaOlder) || !strings.Contains(err.Error(), "version 2, needed is 3") {
		t.Errorf("an older schema: %v", err)
	}
	do("CREATE KEYSPACE IF NOT EXISTS test_elsewhere WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	cfg.Keyspace = "test_elsewhere"
	if _, err := cassandra.Status(ctx, cfg); !errors.Is(err, cassandra.ErrNoLocalReplica) {
		t.Errorf("Status of a keyspace without replicas: %v", err)
	}
	if _, err := cassandra.Apply(ctx, cfg); !errors.Is(err, cassandra.ErrNoLocalReplica) {
		t.Errorf("Apply to a keyspace without replicas: %v", err)
	}
	cfg.Datacenter, cfg.Replication = "dc9", map[string]int{"dc9": 1}
	if _, err := cassandra.Open(ctx, cfg); err == nil || !strings.Contains(err.Error(), `"dc9"`) || !strings.Contains(err.Error(), `"dc1"`) {
		t.Errorf("Open in an unknown datacenter: %v", err)
	}
}
