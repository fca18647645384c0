package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
)

var cluster = cassandratest.Lazy{}

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// rawConfig returns a short run on the cluster of the tests. Slow answers there are no failure.
func rawConfig(t *testing.T) RawConfig {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a Cassandra node")
	}
	return RawConfig{
		Datacenters: []RawDatacenter{{Name: "dc1", Hosts: cluster.Get(t).Addresses("dc1")}},
		Timeout:     time.Minute, Workers: 4, Mailboxes: 8, Duration: time.Second,
	}
}

// admin opens a session that inspects the traces of Raw.
func admin(t *testing.T, cfg RawConfig) *gocql.Session {
	t.Helper()
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	session, err := connectRaw(cfg.driver(cfg.Datacenters[0]), cfg.Datacenters[0])
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

func exec(t *testing.T, s *gocql.Session, cql string) {
	t.Helper()
	if err := s.Query(cql).ExecContext(t.Context()); err != nil {
		t.Fatalf("%s: %v", cql, err)
	}
}

const (
	countKeyspaces = `SELECT COUNT(*) FROM system_schema.keyspaces WHERE keyspace_name = ?`
	countPaxos     = `SELECT COUNT(*) FROM system.paxos`
)

// The bare loop coordinates nothing, the loop with LWT does; both are reported, and the keyspace is
// dropped afterwards.
func TestRaw(t *testing.T) {
	cfg := rawConfig(t)
	s := admin(t, cfg)
	paxos := one(t, s, countPaxos)
	cfg.Warmup = time.Second
	bare, err := Raw(t.Context(), cfg)
	if err != nil || bare.ErrorCount() != 0 || len(bare.Parts) != 1 || len(bare.Ratios) != 0 {
		t.Fatalf("bare: %v, report %+v", err, bare)
	}
	row := bare.Parts[0].Row("messages")
	if row.Count == 0 || row.PerSecond <= 0 || row.Octets != row.Count*8192 || row.P50 <= 0 ||
		bare.Parts[0].Row("content").Count != row.Count || bare.Parts[0].Row("index").Count != row.Count {
		t.Errorf("bare: %+v", bare.Parts[0])
	}
	if n := one(t, s, countPaxos); n != paxos {
		t.Errorf("the bare loop left %d rows in system.paxos", n-paxos)
	}

	cfg.LWT, cfg.Rounds, cfg.Warmup = true, 2, 0
	both, err := Raw(t.Context(), cfg)
	if err != nil || both.ErrorCount() != 0 || len(both.Ratios) != 1 {
		t.Fatalf("lwt: %v, report %+v", err, both)
	}
	var names []string
	for _, p := range both.Parts {
		names = append(names, p.Name)
		if p.Row("messages").Count == 0 {
			t.Errorf("no messages in %q", p.Name)
		}
		if n := p.Row("uid and modseq").Count; (n > 0) != strings.HasPrefix(p.Name, "lwt") {
			t.Errorf("%d numbers taken in %q", n, p.Name)
		}
	}
	if got := strings.Join(names, ", "); got != "bare 1, lwt 1, bare 2, lwt 2" {
		t.Errorf("parts: %s", got)
	}
	if r := both.Ratios[0]; r.Rounds != 2 || r.Of <= 0 || r.To <= 0 || r.Value != r.Of/r.To {
		t.Errorf("ratio: %+v", r)
	}
	if n := one(t, s, countPaxos); n == paxos {
		t.Error("compare-and-set left no rows in system.paxos: was it done?")
	}
	if n := one(t, s, countKeyspaces, "popelago_bench"); n != 0 {
		t.Error("the keyspace is still there")
	}
}

// Every counted message has its two rows, and every number is taken once, however many workers want
// a number at the same time.
func TestRawRows(t *testing.T) {
	cfg := rawConfig(t)
	cfg.Mailboxes, cfg.Keyspace = 1, "bench_rows"
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	k, err := makeRawKeyspace(t.Context(), &cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := k.drop(); err != nil {
			t.Error(err)
		}
	}()
	run, err := newRawRun(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer run.close()
	bare, lwt := run.measure(t.Context(), bareLoop, cfg.Duration), run.measure(t.Context(), lwtLoop, cfg.Duration)
	if bare.ErrorCount()+lwt.ErrorCount()+lwt.Fact("SERIAL timeouts") != 0 {
		t.Fatalf("errors: %+v, %+v", bare, lwt)
	}
	total := bare.Row("messages").Count + lwt.Row("messages").Count
	for _, table := range []string{"content", "mailbox"} {
		if n := one(t, k.session, "SELECT COUNT(*) FROM bench_rows."+table); n != total {
			t.Errorf("%d rows in %s, but %d messages", n, table, total)
		}
	}
	for _, table := range []string{"next_uid", "next_modseq"} {
		if n := one(t, k.session, "SELECT value FROM bench_rows."+table); n != lwt.Row("messages").Count {
			t.Errorf("%s is at %d after %d messages", table, n, lwt.Row("messages").Count)
		}
	}
	if lwt.Fact("conflicts") == 0 {
		t.Error("four workers on one mailbox never met")
	}
}

// A foreign keyspace is left alone, the keyspace of a killed run is not.
func TestRawKeyspaces(t *testing.T) {
	cfg := rawConfig(t)
	cfg.Duration = 100 * time.Millisecond
	s := admin(t, cfg)
	replication := map[string]int{"dc1": 1}
	for _, c := range []struct {
		name    string
		tables  []string // made before
		refused bool
	}{
		{"bench_empty", nil, true},
		{"bench_foreign", []string{"mailbox"}, true},
		{"bench_mixed", []string{rawMark, "theirs"}, true},
		{"bench_left", []string{rawMark, "mailbox"}, false},
	} {
		exec(t, s, createRawKeyspace(c.name, replication))
		for _, table := range c.tables {
			exec(t, s, "CREATE TABLE "+c.name+"."+table+" (name text PRIMARY KEY)")
		}
		cfg.Keyspace = c.name
		report, err := Raw(t.Context(), cfg)
		left := one(t, s, countKeyspaces, c.name)
		if c.refused {
			if err == nil || !strings.Contains(err.Error(), "was not made by this command") || report.Name != "" || left != 1 {
				t.Errorf("%s: error %v, %d keyspaces", c.name, err, left)
			}
			if n := one(t, s, "SELECT COUNT(*) FROM system_schema.tables WHERE keyspace_name = ?", c.name); n != int64(len(c.tables)) {
				t.Errorf("%s: %d tables, want %d", c.name, n, len(c.tables))
			}
			exec(t, s, dropRawKeyspace(c.name))
		} else if err != nil || left != 0 {
			t.Errorf("%s: error %v, %d keyspaces", c.name, err, left)
		}
	}
}

// A cancelled run reports its measurements and cleans up.
func TestRawCancelled(t *testing.T) {
	cfg := rawConfig(t)
	cfg.Duration = time.Hour
	cfg.Progress = new(Progress)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for done := int64(0); done == 0 && ctx.Err() == nil; done, _ = cfg.Progress.Done() {
			sleep(ctx, 10*time.Millisecond)
		}
		cancel()
	}()
	report, err := Raw(ctx, cfg)
	if err != nil || !report.Stopped || len(report.Parts) != 1 || report.Parts[0].Row("messages").Count == 0 || report.ErrorCount() != 0 {
		t.Errorf("error %v, report %+v", err, report)
	}
	if n := one(t, admin(t, cfg), countKeyspaces, "popelago_bench"); n != 0 {
		t.Error("the keyspace is still there")
	}
}

// An unusable cluster is reported before any measurement.
func TestRawUnusable(t *testing.T) {
	cfg := rawConfig(t)
	cfg.Datacenters[0].Name = "elsewhere"
	if report, err := Raw(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "datacenter elsewhere") || report.Name != "" {
		t.Errorf("error %v, report %+v", err, report)
	}
	cfg = rawConfig(t)
	cfg.Replication = map[string]int{"dc1": 1, "dc9": 1}
	if _, err := Raw(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "dc9") {
		t.Errorf("error %v, want one about dc9", err)
	}
	cfg = rawConfig(t)
	cfg.Replication = map[string]int{"dc1": 3} // for one node
	report, err := Raw(t.Context(), cfg)
	if err != nil || report.ErrorCount() == 0 || report.Parts[0].Row("messages").Count != 0 {
		t.Errorf("no quorum: error %v, report %+v", err, report)
	}
}

func TestRawConfig(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*RawConfig)
		want  string
	}{
		{"no datacenter", func(c *RawConfig) { c.Datacenters = nil }, "no datacenter"},
		{"no host", func(c *RawConfig) { c.Datacenters[1].Hosts = []string{""} }, "at least one host"},
		{"no name", func(c *RawConfig) { c.Datacenters[1].Name = "" }, "want a name"},
		{"twice", func(c *RawConfig) { c.Datacenters[1].Name = "dc1" }, "given twice"},
		{"no replica", func(c *RawConfig) { c.Replication = map[string]int{"dc1": 1} }, "dc2 gets load"},
		{"zero replicas", func(c *RawConfig) { c.Replication = map[string]int{"dc1": 1, "dc2": 0} }, "at least 1"},
		{"keyspace", func(c *RawConfig) { c.Keyspace = `a"; DROP` }, "keyspace"},
		{"long keyspace", func(c *RawConfig) { c.Keyspace = strings.Repeat("a", 49) }, "keyspace"},
		{"small", func(c *RawConfig) { c.Size = MinSize - 1 }, "message size"},
		{"large", func(c *RawConfig) { c.Size = MaxRawSize + 1 }, "message size"},
		{"workers", func(c *RawConfig) { c.Workers = -1 }, "connections: want"},
		{"duration", func(c *RawConfig) { c.Duration = -1 }, "duration: want"},
		{"warm-up", func(c *RawConfig) { c.Warmup = -1 }, "warm-up: want"},
	} {
		cfg := RawConfig{Datacenters: []RawDatacenter{{"dc1", []string{"127.0.0.1"}}, {"dc2", []string{"127.0.0.2"}}}}
		c.spoil(&cfg)
		if _, err := Raw(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	cfg := RawConfig{
		Datacenters: []RawDatacenter{{"dc1", []string{"127.0.0.1"}}, {"dc2", []string{"127.0.0.2"}}},
		Username:    "bench", Password: "secret",
	}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(cfg.Replication, map[string]int{"dc1": 1, "dc2": 1}) || cfg.Keyspace != "popelago_bench" || cfg.Workers != 32 ||
		cfg.Mailboxes != 80 || cfg.Size != 8192 || cfg.Rounds != 1 || cfg.Duration != 10*time.Second || cfg.Warmup != 0 {
		t.Errorf("defaults: %+v", cfg)
	}
	if got, ok := cfg.driver(cfg.Datacenters[0]).Authenticator.(gocql.PasswordAuthenticator); !ok || got.Username != "bench" || got.Password != "secret" {
		t.Errorf("signs in with %v", got)
	}
}

// Only late answers count as a time-out.
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

// Both forms of a report show the ratio of the medians.
func TestRatio(t *testing.T) {
	r := Report{Name: "raw-cassandra"}
	r.addRatio("lwt to bare", []float64{30, 10, 20}, []float64{100, 300, 200})
	r.addRatio("nothing", nil, nil)
	var table, text bytes.Buffer
	if err := errors.Join(r.WriteTable(&table), r.WriteJSON(&text)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "lwt to bare: 20.0/s to 200.0/s, ratio 0.100 (medians, rounds: 3)") {
		t.Errorf("table:\n%s", &table)
	}
	var back Report
	if err := json.Unmarshal(text.Bytes(), &back); err != nil || len(back.Ratios) != 2 || back.Ratios[0].Value != 0.1 || back.Ratios[1].Value != 0 {
		t.Errorf("JSON: %v, %s", err, &text)
	}
}
