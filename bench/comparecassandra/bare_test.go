package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/bench"
	"popelago/cassandratest"
)

// A busy machine is no fault.
var cluster = cassandratest.Lazy{Options: cassandratest.Options{Unkilled: true, Patient: true, Settings: map[string]string{
	"cas_contention_timeout": "1m",
}}}

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// testConfig returns the settings of a short run on the cluster of the tests. A slow node must not
// count as a failure.
func testConfig(t *testing.T) bareConfig {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Cassandra node")
	}
	return bareConfig{
		datacenters: []bareDatacenter{{name: "dc1", hosts: cluster.Get(t).Addresses("dc1")}},
		timeout:     time.Minute, workers: 4, mailboxes: 8, duration: time.Second,
	}
}

// admin opens a session that looks at the rest of a run.
func admin(t *testing.T, cfg bareConfig) *gocql.Session {
	t.Helper()
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	session, err := connect(cfg.driver(cfg.datacenters[0]), cfg.datacenters[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

// one reads a row with a single number.
func one(t *testing.T, s *gocql.Session, cql string, values ...any) int64 {
	t.Helper()
	var n int64
	if err := s.Query(cql, values...).Consistency(gocql.One).ScanContext(t.Context(), &n); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
	return n
}

func execute(t *testing.T, s *gocql.Session, cql string) {
	t.Helper()
	if err := s.Query(cql).ExecContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
}

const (
	countKeyspaces = `SELECT COUNT(*) FROM system_schema.keyspaces WHERE keyspace_name = ?`
	countPaxos     = `SELECT COUNT(*) FROM system.paxos`
)

// The bare loop coordinates nothing, the loop with compare-and-set does. Both are measured, and the
// keyspace is dropped afterwards.
func TestBare(t *testing.T) {
	cfg := testConfig(t)
	s := admin(t, cfg)
	paxos := one(t, s, countPaxos)
	cfg.warmup = time.Second
	bare, err := measureBare(t.Context(), cfg)
	if err != nil || len(bare) != 1 {
		t.Fatalf("bare: %v, %+v", err, bare)
	}
	if r := bare[0]; r.loop != bareLoop || r.messages == 0 || r.perSecond() <= 0 || r.octets != r.messages*8192 || r.errors != 0 || r.numbers != 0 {
		t.Errorf("bare: %+v", r)
	}
	if n := one(t, s, countPaxos); n != paxos {
		t.Errorf("the bare loop left %d rows in system.paxos", n-paxos)
	}

	cfg.lwt, cfg.rounds, cfg.warmup = true, 2, 0
	both, err := measureBare(t.Context(), cfg)
	if err != nil {
		t.Fatalf("lwt: %v, %+v", err, both)
	}
	var loops []loop
	for _, r := range both {
		loops = append(loops, r.loop)
		if r.messages == 0 || r.errors != 0 {
			t.Errorf("%+v", r)
		}
		if (r.numbers > 0) != (r.loop == lwtLoop) {
			t.Errorf("%d numbers taken in %q", r.numbers, r.loop)
		}
	}
	if want := []loop{bareLoop, lwtLoop, bareLoop, lwtLoop}; !slices.Equal(loops, want) {
		t.Errorf("loops %q, want %q", loops, want)
	}
	if n := one(t, s, countPaxos); n == paxos {
		t.Error("compare-and-set left no rows in system.paxos: was it done?")
	}
	if n := one(t, s, countKeyspaces, "popelago_bench"); n != 0 {
		t.Error("the keyspace is still there")
	}
}

// Every counted message has its two rows, and every number is taken once, whatever the number of
// workers.
func TestBareRows(t *testing.T) {
	cfg := testConfig(t)
	cfg.mailboxes, cfg.keyspace = 1, "bench_rows"
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	k, err := makeBareKeyspace(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := k.drop(); err != nil {
			t.Error(err)
		}
	}()
	run, err := newBareRun(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer run.close()
	bare, lwt := run.measure(t.Context(), bareLoop, cfg.duration), run.measure(t.Context(), lwtLoop, cfg.duration)
	for range 50 { // the workers of a slow node meet seldom
		if lwt.conflicts > 0 {
			break
		}
		more := run.measure(t.Context(), lwtLoop, cfg.duration)
		lwt.messages, lwt.errors, lwt.timeouts, lwt.conflicts = lwt.messages+more.messages, lwt.errors+more.errors, lwt.timeouts+more.timeouts, more.conflicts
	}
	if bare.errors+lwt.errors+lwt.timeouts != 0 {
		t.Fatalf("errors: %+v, %+v", bare, lwt)
	}
	total := bare.messages + lwt.messages
	for _, table := range []string{"content", "mailbox"} {
		if n := one(t, k.session, "SELECT COUNT(*) FROM bench_rows."+table); n != total {
			t.Errorf("%d rows in %s, but %d messages", n, table, total)
		}
	}
	for _, table := range []string{"next_uid", "next_modseq"} {
		if n := one(t, k.session, "SELECT value FROM bench_rows."+table); n != lwt.messages {
			t.Errorf("%s is at %d after %d messages", table, n, lwt.messages)
		}
	}
	if lwt.conflicts == 0 {
		t.Error("four workers on one mailbox never met")
	}
}

// A keyspace of another origin is left alone, a leftover of a killed run is not.
func TestBareKeyspaces(t *testing.T) {
	cfg := testConfig(t)
	cfg.duration = 100 * time.Millisecond
	s := admin(t, cfg)
	replication := map[string]int{"dc1": 1}
	for _, c := range []struct {
		name    string
		tables  []string // made before
		refused bool
	}{
		{"bench_empty", nil, true},
		{"bench_foreign", []string{"mailbox"}, true},
		{"bench_mixed", []string{bareMark, "theirs"}, true},
		{"bench_left", []string{bareMark, "mailbox"}, false},
	} {
		execute(t, s, createBareKeyspace(c.name, replication))
		for _, table := range c.tables {
			execute(t, s, "CREATE TABLE "+c.name+"."+table+" (name text PRIMARY KEY)")
		}
		cfg.keyspace = c.name
		results, err := measureBare(t.Context(), cfg)
		left := one(t, s, countKeyspaces, c.name)
		if c.refused {
			if err == nil || !strings.Contains(err.Error(), "was not made by this command") || len(results) > 0 || left != 1 {
				t.Errorf("%s: error %v, %d keyspaces", c.name, err, left)
			}
			if n := one(t, s, "SELECT COUNT(*) FROM system_schema.tables WHERE keyspace_name = ?", c.name); n != int64(len(c.tables)) {
				t.Errorf("%s: %d tables, want %d", c.name, n, len(c.tables))
			}
			execute(t, s, dropBareKeyspace(c.name))
		} else if err != nil || left != 0 {
			t.Errorf("%s: error %v, %d keyspaces", c.name, err, left)
		}
	}
}

// A cancelled run returns its results so far and drops the keyspace. When more rows are there than messages are in
// flight, the first message was written.
func TestBareCancelled(t *testing.T) {
	cfg := testConfig(t)
	cfg.duration = time.Hour
	cfg.workers = 4
	s := admin(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			rows := s.Query("SELECT message FROM popelago_bench.mailbox LIMIT 5").Consistency(gocql.One).IterContext(ctx)
			found := rows.NumRows() > cfg.workers
			if rows.Close() == nil && found {
				return
			}
			pause(ctx, 10*time.Millisecond)
		}
	}()
	results, err := measureBare(ctx, cfg)
	if !errors.Is(err, context.Canceled) || len(results) != 1 || results[0].messages == 0 || results[0].errors != 0 {
		t.Errorf("error %v, results %+v", err, results)
	}
	if n := one(t, s, countKeyspaces, "popelago_bench"); n != 0 {
		t.Error("the keyspace is still there")
	}
}

// An unusable cluster is reported before the first measurement.
func TestBareUnusable(t *testing.T) {
	cfg := testConfig(t)
	cfg.datacenters[0].name = "elsewhere"
	if results, err := measureBare(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "datacenter elsewhere") || len(results) > 0 {
		t.Errorf("error %v, results %+v", err, results)
	}
	cfg = testConfig(t)
	cfg.replication = map[string]int{"dc1": 1, "dc9": 1}
	if _, err := measureBare(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "dc9") {
		t.Errorf("error %v, want one about dc9", err)
	}
	cfg = testConfig(t)
	cfg.replication = map[string]int{"dc1": 3} // of one node
	results, err := measureBare(t.Context(), cfg)
	if err != nil || results[0].errors == 0 || results[0].err == nil || results[0].messages != 0 {
		t.Errorf("no quorum: error %v, results %+v", err, results)
	}
}

func TestBareConfig(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*bareConfig)
		want  string
	}{
		{"no datacenter", func(c *bareConfig) { c.datacenters = nil }, "no datacenter"},
		{"no host", func(c *bareConfig) { c.datacenters[1].hosts = []string{""} }, "at least one host"},
		{"no name", func(c *bareConfig) { c.datacenters[1].name = "" }, "want a name"},
		{"twice", func(c *bareConfig) { c.datacenters[1].name = "dc1" }, "given twice"},
		{"no replica", func(c *bareConfig) { c.replication = map[string]int{"dc1": 1} }, "dc2 gets load"},
		{"zero replicas", func(c *bareConfig) { c.replication = map[string]int{"dc1": 1, "dc2": 0} }, "at least 1"},
		{"keyspace", func(c *bareConfig) { c.keyspace = `a"; DROP` }, "keyspace"},
		{"long keyspace", func(c *bareConfig) { c.keyspace = strings.Repeat("a", 49) }, "keyspace"},
		{"small", func(c *bareConfig) { c.size = bench.MinSize - 1 }, "message size"},
		{"large", func(c *bareConfig) { c.size = maxBareSize + 1 }, "message size"},
		{"workers", func(c *bareConfig) { c.workers = -1 }, "connections: want"},
		{"duration", func(c *bareConfig) { c.duration = -1 }, "duration: want"},
		{"warm-up", func(c *bareConfig) { c.warmup = -1 }, "warm-up: want"},
	} {
		cfg := bareConfig{datacenters: []bareDatacenter{{"dc1", []string{"127.0.0.1"}}, {"dc2", []string{"127.0.0.2"}}}}
		c.spoil(&cfg)
		if _, err := measureBare(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	cfg := bareConfig{datacenters: []bareDatacenter{{"dc1", []string{"127.0.0.1"}}, {"dc2", []string{"127.0.0.2"}}}}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(cfg.replication, map[string]int{"dc1": 1, "dc2": 1}) || cfg.keyspace != "popelago_bench" || cfg.workers != 32 ||
		cfg.mailboxes != 80 || cfg.size != 8192 || cfg.rounds != 1 || cfg.duration != 10*time.Second || cfg.warmup != 0 {
		t.Errorf("defaults: %+v", cfg)
	}
}

// Only a late answer counts as a time-out.
func TestTimedOut(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&gocql.RequestErrWriteTimeout{WriteType: "CAS"}, true},
		{&gocql.RequestErrReadTimeout{Consistency: gocql.Serial}, true},
		{&gocql.RequestErrCASWriteUnknown{}, true},
		{fmt.Errorf("more: %w", gocql.ErrTimeoutNoResponse), true},
		{&gocql.RequestErrUnavailable{}, false},
		{gocql.ErrNoConnections, false},
		{errors.New("other"), false},
	} {
		if got := timedOut(c.err); got != c.want {
			t.Errorf("timedOut(%v) = %v", c.err, got)
		}
	}
}
