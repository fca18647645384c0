package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"popelago/bench"
	"popelago/bench/process"
	"popelago/cassandratest"
)

// pair returns a lab on two datacenters that do not exist.
func pair(t *testing.T) *lab {
	t.Helper()
	return &lab{
		dir: t.TempDir(),
		settings: settings{
			datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 4}, {Name: "dc2", Nodes: 1}},
			rounds:      3, duration: time.Second, length: time.Minute, window: time.Hour, commitLog: "batch", commitLogAccess: "legacy",
		},
		cluster: &cassandratest.Cluster{Version: "5.0.6", Nodes: []*cassandratest.Node{
			{Name: "dc1-1", Datacenter: "dc1", Address: "127.1.1.1"}, {Name: "dc1-2", Datacenter: "dc1", Address: "127.1.1.2"},
			{Name: "dc2-1", Datacenter: "dc2", Address: "127.1.2.1"},
		}},
	}
}

// A server accepts the generated configuration.
func TestConfigure(t *testing.T) {
	if testing.Short() {
		t.Skip("builds popelago")
	}
	l := pair(t)
	s, config, err := l.configure(0, l.data(0), "zstd")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`hosts = ["127.1.1.1", "127.1.1.2", ]`, "replication = { dc1 = 3,dc2 = 1 }", s.LMTP, s.POP3} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	t.Chdir("../..") // where the program is built
	binary, err := process.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Run(t.Context(), nil, binary, "config", "check", config); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// Wrong flags are refused before a build or a start.
func TestRefusedFlags(t *testing.T) {
	good := settings{rounds: 1, rows: 100, duration: 1, length: 1, window: 1, commitLog: "batch", commitLogAccess: "legacy", users: users}
	for _, c := range []struct {
		name                  string
		spoil                 func(*settings)
		datacenters, scenario string
		want                  string
	}{
		{"scenario", func(*settings) {}, "", "other", "scenario"},
		{"rounds", func(s *settings) { s.rounds = 0 }, "", "deliveries", "rounds"},
		{"duration", func(s *settings) { s.duration = 0 }, "", "deliveries", "durations"},
		{"length", func(s *settings) { s.length = -1 }, "", "published", "durations"},
		{"window", func(s *settings) { s.window = 0 }, "", "steady", "durations"},
		{"rows", func(s *settings) { s.rows = 99 }, "", "fill", "rows"},
		{"few users", func(s *settings) { s.users = users - 1 }, "", "steady", "users"},
		{"uneven users", func(s *settings) { s.users = users + 1 }, "", "steady", "users"},
		{"commit log", func(s *settings) { s.commitLog = "none" }, "", "deliveries", "commitlog-sync"},
		{"access to the commit log", func(s *settings) { s.commitLogAccess = "none" }, "", "deliveries", "commitlog-access"},
		{"datacenters", func(*settings) {}, "dc1", "deliveries", "datacenters"},
	} {
		s := good
		c.spoil(&s)
		s.dir = t.TempDir()
		err := compare(context.Background(), s, c.datacenters, c.scenario)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		if left, _ := os.ReadDir(s.dir); len(left) != 0 {
			t.Errorf("%s: %d files made", c.name, len(left))
		}
	}
}

func TestSum(t *testing.T) {
	report := func(count int64, perSecond, p99 float64) bench.Report {
		return bench.Report{Rows: []bench.Row{{
			Name: "messages", Count: count, PerSecond: perSecond, Latency: bench.Latency{P99: bench.Milliseconds(p99)},
		}}}
	}
	got := sum([]bench.Report{report(1, 10, 5), report(2, 20, 7), report(3, 30, 6)}, "messages")
	if got.Count != 6 || got.PerSecond != 60 || got.P99 != 7 {
		t.Errorf("sum: %+v", got)
	}
}

// A finished run with errors counts, an unfinished run does not.
func TestTolerate(t *testing.T) {
	failed := errors.New("exit status 1")
	done := bench.Report{
		Parts: []bench.Report{{Rows: []bench.Row{{Name: "messages", Count: 5}}, Errors: []bench.ErrorCount{{Class: "late", Count: 3}}}},
	}
	for _, c := range []struct {
		name    string
		reports []bench.Report
		err     error
		met     int64
		want    error
	}{
		{"no error", []bench.Report{{}}, nil, 0, nil},
		{"errors met", []bench.Report{done, done}, failed, 6, nil},
		{"nothing done", []bench.Report{{}}, failed, 0, failed},
		{"nothing done by one", []bench.Report{done, {}}, failed, 3, failed},
		{"another error", []bench.Report{{Rows: []bench.Row{{Name: "messages", Count: 5}}}}, failed, 0, failed},
		{"no report", nil, failed, 0, failed},
	} {
		if met, err := tolerate(c.reports, c.err); met != c.met || err != c.want {
			t.Errorf("%s: %d errors and %v, want %d and %v", c.name, met, err, c.met, c.want)
		}
	}
}

// Core-milliseconds are those of all rounds together, each load by its own count of messages.
func TestMailTable(t *testing.T) {
	ms := time.Millisecond
	m := mailLoads{{name: "bare loop"}, {name: "Popelago", server: &process.Server{}}}
	m[0].deliveries.add(1000, 500, spent{nodes: 400 * ms, load: 50 * ms})
	m[0].deliveries.add(2000, 1500, spent{nodes: 1000 * ms, load: 150 * ms})
	m[1].deliveries.add(900, 1000, spent{nodes: 500 * ms, server: 400 * ms, load: 100 * ms})
	m[1].retrievals.add(7000, 4000, spent{nodes: 600 * ms, server: 400 * ms, load: 40 * ms})
	var text bytes.Buffer
	if err := m.write(&text, pair(t)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| bare loop | 1000 | 1000-2000 | 1.00 |  |  |", "| Popelago | 900 |  | 0.90 | 7000 |  |",
		"| bare loop | 0.700 | 0.000 | 0.100 | 0.800 | 1.00 | | | | |",
		"| Popelago | 0.500 | 0.400 | 0.100 | 1.000 | 0.80 | 0.150 | 0.100 | 0.010 | 0.260 |",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
}

func TestCostTable(t *testing.T) {
	c := costs{servers: 20, nodes: 35, steps: []step{
		{name: "delivery", count: 1000, servers: 500 * time.Millisecond, nodes: 3200 * time.Millisecond},
		{name: "removal", count: 4000, servers: 100 * time.Millisecond, nodes: 300 * time.Millisecond},
	}}
	var text bytes.Buffer
	if err := c.write(&text, pair(t)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{ // 3 replicas in dc1 and one in dc2, two writes
		"| delivery | 1000 | 0.500 | 3.200 | 3.700 | 0.400 |", "| removal | 4000 | 0.025 | 0.075 | 0.100 |  |", "servers 20, nodes 35",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	parts := []bench.Report{{Parts: []bench.Report{{Rows: []bench.Row{{Name: "RETR", Count: 5}}}, {Rows: []bench.Row{{Name: "RETR", Count: 7}}}}}}
	if n := total(parts, "RETR"); n != 12 {
		t.Errorf("%d in all parts", n)
	}
}

func TestTables(t *testing.T) {
	l := pair(t)
	r := comparison{bare: load{rates: []float64{100, 300, 200}}, popelago: load{rates: []float64{140, 150, 160}, errors: 2}}
	for i, timeouts := range []int64{4, 3, 0} {
		r.lwt = append(r.lwt,
			bareResult{loop: bareLoop, messages: []int64{100, 300, 200}[i], seconds: 1},
			bareResult{loop: lwtLoop, messages: []int64{30, 10, 20}[i], seconds: 1, timeouts: timeouts, conflicts: 5, errors: 1})
	}
	o := outcome{
		delivered: bench.Row{Count: 6000, PerSecond: 100}, removed: bench.Row{Count: 6000, PerSecond: 900},
		inTime: []int64{6000, 5990}, checked: &bench.Findings{Messages: 6000},
	}
	var text bytes.Buffer
	if err := r.write(&text, l); err != nil {
		t.Fatal(err)
	}
	if err := o.write(&text, l); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Cassandra 5.0.6, dc1:4,dc2:1, replication dc1=3,dc2=1, commitlog_sync batch",
		"| bare loop | 200 | 100-300 | | |",
		"| Popelago, LMTP | 150 | 140-160 | 0.75 | 0.60 |",
		"| the same with UID and MODSEQ by compare-and-set | 20 | | 0.100 | |",
		"| bare loop, measured again | 200 | | | |",
		"Compare-and-set: 7 time-outs at SERIAL, 15 conflicts, 3 other errors.",
		"Errors: bare loop 0, Popelago 2.",
		"| delivered | 6000, 100.0/s, 0 errors",
		"| listed by the first STAT of each user in dc2 | 5990 |",
		"| compared octet by octet | 6000 messages, 0 violations |",
		"| rows in system.paxos | 0 |",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}
