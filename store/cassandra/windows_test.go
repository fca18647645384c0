package cassandra_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// Servers with different windows, anywhere in the cluster, do no background work until they agree: a
// server with a shorter window would delete content that another server still delivers.
func TestWindowsDiffer(t *testing.T) {
	cfg, clock, log := clocked(t, 0)
	s := open(t, cfg)
	wantClock(t, s, nil)
	mb, m := mailbox("windows"), message(10)
	put(t, s, m.ID, 10, mb)
	wants := func(want error) {
		t.Helper()
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			if err := s.MayReclaim(); !errors.Is(err, want) {
				return fmt.Errorf("MayReclaim: %v, want %v", err, want)
			}
			return nil
		})
		_, floors := s.RaiseFloors(t.Context())
		_, sweep := s.Sweep(t.Context(), clock.Now())
		_, orphans := s.SweepOrphans(t.Context(), time.Unix(0, 0), time.Unix(0, 0))
		_, some := s.RemoveOrphans(t.Context(), nil, time.Unix(0, 0))
		for what, err := range map[string]error{"RaiseFloors": floors, "Sweep": sweep, "SweepOrphans": orphans, "RemoveOrphans": some} {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
	}
	wants(nil)
	other, _, otherLog := clocked(t, 0)
	other.Window = 3 * time.Hour
	o := reopen(t, other)
	wants(store.ErrDisagree)
	if err := o.MayReclaim(); !errors.Is(err, store.ErrDisagree) || !strings.Contains(err.Error(), "3h0m0s on "+other.Server) {
		t.Errorf("the second server: %v", err)
	}
	for _, l := range []*mailtest.Log{log, otherLog} {
		if n := strings.Count(l.String(), "the servers differ in cassandra.window"); n != 1 {
			t.Errorf("said %d times:\n%s", n, l.String())
		}
	}
	if got := gauge(t, cfg.Registerer, "popelago_cassandra_windows"); got != 2 {
		t.Errorf("%v windows", got)
	}
	found, err := cassandra.Doctor(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if f := finding(found, "window"); f.Level != cassandra.FindingError || !strings.Contains(f.Text, "3h0m0s on "+other.Server) {
		t.Errorf("the doctor: %+v", found)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	wants(nil)
	// The row of a server of an older release has no window.
	cql := session(t, cfg)
	if err := cql.Query("INSERT INTO "+cfg.Keyspace+".server (datacenter, id, name) VALUES ('dc1', ?, 'older') USING TTL 3600", gocql.MustRandomUUID()).Exec(); err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if got := gauge(t, cfg.Registerer, "popelago_cassandra_servers"); got != 2 {
			return errors.New("the older server is not seen")
		}
		return nil
	})
	wants(nil)
	found, err = cassandra.Doctor(t.Context(), cfg)
	if f := finding(found, "window"); err != nil || f.Level != cassandra.FindingOK {
		t.Errorf("the doctor: %+v, %v", f, err)
	}
}

// finding returns the first finding of a check.
func finding(found []cassandra.Finding, check string) cassandra.Finding {
	for _, f := range found {
		if f.Check == check {
			return f
		}
	}
	return cassandra.Finding{}
}

// A schema without the windows of servers and the sets of the directory is upgraded without a loss.
func TestSchemaLearnsOfColumns(t *testing.T) {
	cfg := config(t)
	cfg.Keyspace = "schema_columns"
	ctx, cql := t.Context(), session(t, cfg)
	if _, err := cassandra.Apply(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"ALTER TABLE schema_columns.server DROP window",
		"ALTER TABLE schema_columns.trash DROP (entry, bare)",
		"ALTER TABLE schema_columns.address DROP (targets, settings, touched)",
		"ALTER TABLE schema_columns.domain DROP (settings, touched)",
		"INSERT INTO schema_columns.domain (name, created, removed) VALUES ('old.test', 1, false) USING TIMESTAMP 1",
		"DELETE FROM schema_columns.schema_version WHERE name = 'popelago' AND version >= 3",
	} {
		if err := cql.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := cassandra.Open(ctx, cfg); !errors.Is(err, cassandra.ErrSchemaOlder) {
		if err == nil {
			s.Close()
		}
		t.Fatalf("Open: %v, want %v", err, cassandra.ErrSchemaOlder)
	}
	for range 2 {
		if _, err := cassandra.Apply(ctx, cfg); err != nil {
			t.Fatal(err)
		}
	}
	s, err := cassandra.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.MayReclaim(); err != nil {
		t.Error(err)
	}
	if err := s.ChangeDomain(ctx, "old.test", store.DomainChange{Settings: map[string]string{"a": "b"}}); err != nil {
		t.Error(err)
	}
	if d, err := s.Domain(ctx, "old.test"); err != nil || d.Created.UnixMicro() != 1 || d.Settings["a"] != "b" {
		t.Errorf("the domain: %+v, %v", d, err)
	}
}
