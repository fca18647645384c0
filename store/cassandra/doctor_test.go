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

// findings are what Doctor told.
type findings []cassandra.Finding

func doctor(t testing.TB, cfg cassandra.Config) findings {
	t.Helper()
	found, err := cassandra.Doctor(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// say fails the test unless a check came to a level, with all texts in its text or hint.
func (f findings) say(t testing.TB, level, check string, texts ...string) {
	t.Helper()
	for _, one := range f {
		all := one.Level == level && one.Check == check
		for _, text := range texts {
			all = all && strings.Contains(one.Text+" "+one.Hint, text)
		}
		if all {
			return
		}
	}
	t.Errorf("no %s of %s with %q in %+v", level, check, texts, f)
}

// errors are those of the highest level.
func (f findings) errors() findings {
	var bad findings
	for _, one := range f {
		if one.Level == cassandra.FindingError {
			bad = append(bad, one)
		}
	}
	return bad
}

const (
	ok      = cassandra.FindingOK
	warning = cassandra.FindingWarning
	failure = cassandra.FindingError
)

// One node by itself: it works, and is not what mail should be kept on.
func TestDoctor(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	address := cfg.Hosts[0]
	cfg.Timeout = 30 * time.Second // busy machines are no finding
	found := doctor(t, cfg)
	if bad := found.errors(); len(bad) > 0 {
		t.Errorf("errors: %+v", bad)
	}
	found.say(t, ok, "contact", address)
	found.say(t, ok, "datacenter", "dc1 with 1 node")
	found.say(t, ok, "node", "1 node reached: "+address)
	found.say(t, ok, "version", "Cassandra "+cluster.Get(t).Version)
	found.say(t, ok, "clock", "1 node")
	found.say(t, ok, "commitlog")
	found.say(t, ok, "settings")
	found.say(t, warning, "access", "no password is asked for by "+address)
	found.say(t, ok, "schema", "keyspace test")
	found.say(t, warning, "replication", "dc1 keeps 1 replica:")

	// The node itself gives up later.
	impatient := cfg
	impatient.Timeout = 1900 * time.Millisecond
	doctor(t, impatient).say(t, warning, "settings", "shorter than write_request_timeout of "+address)

	other := cfg
	other.Replication = map[string]int{"dc1": 3, "dc2": 3}
	found = doctor(t, other)
	found.say(t, warning, "replication", "cassandra.replication has dc1 = 3, but the keyspace 1", "ALTER KEYSPACE test")
	found.say(t, warning, "replication", "cassandra.replication has dc2 = 3, but the keyspace 0")
}

func TestDoctorStatements(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	cfg.Timeout = 30 * time.Second
	for range 2 { // the row of the last time is there
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
		doctor(t, cfg).say(t, test.level, "clock", cfg.Hosts[0], test.text, "NTP")
	}
}

func TestDoctorWrongDatacenter(t *testing.T) {
	cfg := config(t)
	cfg.Datacenter = "dc9"
	found := doctor(t, cfg)
	found.say(t, failure, "datacenter", `no datacenter "dc9", but dc1`, "cassandra.datacenter")
	if bad := found.errors(); len(bad) != 1 {
		t.Errorf("one mistake, %d errors: %+v", len(bad), bad)
	}
}

func TestDoctorContacts(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	good := cfg.Hosts[0]
	cfg.Hosts = []string{"127.0.0.1:1", good, "none.invalid"}
	found := doctor(t, cfg)
	found.say(t, ok, "contact", good)
	found.say(t, warning, "contact", "127.0.0.1:1 cannot be used", "refused")
	found.say(t, warning, "contact", "none.invalid cannot be used", "lookup")
	cfg.Hosts = []string{"127.0.0.1:1", "none.invalid"}
	found = doctor(t, cfg)
	if bad := found.errors(); len(bad) != 2 || len(found) != 2 {
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
	cfg.Keyspace = "doctor_test"
	cql := session(t, cfg)
	do := func(statement string) {
		t.Helper()
		if err := cql.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	doctor(t, cfg).say(t, failure, "schema", "there is no schema yet", "popelago schema apply")
	do("CREATE KEYSPACE doctor_test WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
	found := doctor(t, cfg)
	found.say(t, failure, "schema", "no replica in the local datacenter")
	found.say(t, warning, "replication", "dc1 keeps no replica", "ALTER KEYSPACE doctor_test WITH replication = {'class': 'NetworkTopologyStrategy'")
	do("ALTER KEYSPACE doctor_test WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2}")
	found = doctor(t, cfg)
	found.say(t, failure, "replication", "dc1 has 1 node for 2 replicas")
	do("DROP KEYSPACE doctor_test")
}
