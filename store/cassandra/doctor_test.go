package cassandra_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/store/cassandra"
)

// A single node works, and is reported as too little for mail.
func TestDoctor(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	address := cfg.Hosts[0]
	cfg.Timeout = 2 * time.Minute // busy machines are no finding
	found := doctor(t, cfg)
	if bad := found.Errors(); len(bad) > 0 {
		t.Errorf("errors: %+v", bad)
	}
	found.Say(t, ok, "contact", address)
	found.Say(t, ok, "datacenter", "dc1 with 1 node")
	found.Say(t, ok, "node", "1 node reached: "+address)
	found.Say(t, ok, "version", "Cassandra "+cluster.Get(t).Version)
	found.Say(t, ok, "clock", "1 node")
	found.Say(t, ok, "commitlog")
	found.Say(t, ok, "settings")
	found.Say(t, warning, "access", "no password is asked for by "+address)
	found.Say(t, ok, "schema", "keyspace test")
	found.Say(t, warning, "replication", "dc1 keeps 1 replica:")

	// The node itself gives up later.
	impatient := cfg
	impatient.Timeout = 50 * time.Second
	doctor(t, impatient).Say(t, warning, "settings", "shorter than write_request_timeout of "+address)

	other := cfg
	other.Replication = map[string]int{"dc1": 3, "dc2": 3}
	found = doctor(t, other)
	found.Say(t, warning, "replication", "cassandra.replication has dc1 = 3, but the keyspace 1", "ALTER KEYSPACE test")
	found.Say(t, failure, "datacenter", `cassandra.replication names datacenter "dc2", which the cluster does not have; it has dc1`, "correct the name")
}

func TestDoctorStatements(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	cfg.Timeout = 2 * time.Minute
	for range 2 { // the second time the row exists
		found := doctor(t, cfg)
		if !slices.ContainsFunc(found, func(f cassandra.Finding) bool {
			return f.Check == "statements" && f.Level != failure && strings.Contains(f.Text, "was written in")
		}) {
			t.Errorf("no row was written and read: %+v", found)
		}
	}
}

func TestDoctorClock(t *testing.T) {
	cfg := config(t)
	for _, test := range []struct {
		off   time.Duration // of this machine
		level string
		text  string
	}{
		{-time.Minute, warning, "ahead of this machine's"}, {time.Minute, warning, "behind this machine's"},
		{-time.Hour, failure, "ahead of this machine's"}, {100 * 24 * time.Hour, failure, "behind this machine's"},
	} {
		cfg.Now = func() time.Time { return time.Now().Add(test.off) }
		doctor(t, cfg).Say(t, test.level, "clock", cfg.Hosts[0], test.text, "NTP")
	}
}

func TestDoctorWrongDatacenter(t *testing.T) {
	cfg := config(t)
	cfg.Datacenter = "dc9"
	found := doctor(t, cfg)
	found.Say(t, failure, "datacenter", `no datacenter "dc9", but dc1`, "cassandra.datacenter")
	if bad := found.Errors(); len(bad) != 1 {
		t.Errorf("a single mistake, %d errors: %+v", len(bad), bad)
	}
}

func TestDoctorContacts(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	good := cfg.Hosts[0]
	cfg.Hosts = []string{"127.0.0.1:1", good, "none.invalid"}
	found := doctor(t, cfg)
	found.Say(t, ok, "contact", good)
	found.Say(t, warning, "contact", "127.0.0.1:1 cannot be used", "refused")
	found.Say(t, warning, "contact", "none.invalid cannot be used", "lookup")
	cfg.Hosts = []string{"127.0.0.1:1", "none.invalid"}
	found = doctor(t, cfg)
	if bad := found.Errors(); len(bad) != 2 || len(found) != 2 {
		t.Errorf("no contact point can be used: %+v", found)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cassandra.Doctor(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
	cfg.Hosts = nil
	if _, err := cassandra.Doctor(t.Context(), cfg); err == nil {
		t.Error("without a contact point: no error")
	}
}

func TestDoctorSchema(t *testing.T) {
	cfg := config(t)
	cfg.Keyspace = "test_doctor"
	cql := session(t, cfg)
	do := func(statement string) {
		t.Helper()
		if err := cql.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	doctor(t, cfg).Say(t, failure, "schema", "there is no schema yet", "popelago schema apply")
	do("CREATE KEYSPACE test_doctor WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	found := doctor(t, cfg)
	found.Say(t, failure, "schema", "no replica in the local datacenter")
	found.Say(t, warning, "replication", "dc1 keeps no replica", "ALTER KEYSPACE test_doctor WITH replication = {'class': 'NetworkTopologyStrategy'")
	do("ALTER KEYSPACE test_doctor WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}")
	found = doctor(t, cfg)
	found.Say(t, failure, "replication", "dc1 has 1 node for 2 replicas")
	do("DROP KEYSPACE test_doctor")
}

// Options that somebody changed break a promise.
func TestDoctorTables(t *testing.T) {
	cfg := config(t)
	cfg.Keyspace, cfg.Timeout = "test_doctor_tables", 2*time.Minute
	apply(t, cfg)
	cql := session(t, cfg)
	do := func(statement string) {
		t.Helper()
		if err := cql.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { do("DROP KEYSPACE test_doctor_tables") })
	doctor(t, cfg).Say(t, ok, "tables", "with the options of the schema")
	do("ALTER TABLE test_doctor_tables.mailbox WITH default_time_to_live = 86400 AND read_repair = 'NONE'")
	do("ALTER TABLE test_doctor_tables.trash WITH compaction = {'class': 'SizeTieredCompactionStrategy'}")
	do("ALTER TABLE test_doctor_tables.domain WITH speculative_retry = '99p' AND gc_grace_seconds = 60")
	do("ALTER KEYSPACE test_doctor_tables WITH durable_writes = false")
	found := doctor(t, cfg)
	found.Say(t, failure, "tables", "default_time_to_live is set for mailbox", "ALTER TABLE test_doctor_tables.mailbox WITH default_time_to_live = 0")
	found.Say(t, warning, "tables", "read_repair is off for mailbox")
	found.Say(t, warning, "tables", "only_purge_repaired_tombstones is off for trash")
	found.Say(t, warning, "tables", "speculative_retry has no limit of its own for domain")
	found.Say(t, warning, "tables", "gc_grace_seconds is shorter than the schema's for domain")
	found.Say(t, failure, "tables", "durable_writes = false", "ALTER KEYSPACE test_doctor_tables WITH durable_writes = true")
}
