package cassandra

import (
	"strings"
	"testing"
	"time"
)

func TestParseTokenRange(t *testing.T) {
	for text, want := range map[string]tokenRange{
		"(-1441956244254054263,275815928986139195]":  {-1441956244254054263, 275815928986139195},
		"(8768976929636099488,-8974589013616383456]": {8768976929636099488, -8974589013616383456},
		"(1, 2]": {1, 2},
	} {
		if got, ok := parseTokenRange(text); !ok || got != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "(1,2)", "1,2]", "(1]", "(a,2]", "(1,99999999999999999999]"} {
		if got, ok := parseTokenRange(text); ok {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestOldestRepair(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	both := []string{"mailbox", "content"}
	at := func(n int, tables []string, ranges ...tokenRange) repair { return repair{tables, day(n), ranges} }
	// Three nodes with one range each; the range of the third wraps around.
	first, second, third := tokenRange{-100, 0}, tokenRange{0, 100}, tokenRange{100, -100}
	for _, c := range []struct {
		what    string
		repairs []repair
		mailbox time.Time
	}{
		{"nothing", nil, time.Time{}},
		{"another table", []repair{at(1, []string{"content"}, first, second, third)}, time.Time{}},
		{"a node is missing", []repair{at(1, both, first), at(2, both, third)}, time.Time{}},
		{"all nodes in turn", []repair{at(1, both, first), at(2, both, second), at(3, both, third)}, day(1)},
		{"in another order, one twice", []repair{at(7, both, first), at(3, both, third), at(2, both, second), at(5, both, second)}, day(3)},
		{"an older repair changes nothing", []repair{at(5, both, first, second, third), at(1, both, first)}, day(5)},
		{"without -pr", []repair{at(1, both, first, second, third), at(4, both, first, third)}, day(1)},
		{"the whole ring, one node", []repair{at(6, both, tokenRange{5, 5})}, day(6)},
		{"ranges that were divided since", []repair{at(1, both, first, second, third), at(3, both, tokenRange{-100, -50}), at(4, both, tokenRange{-50, 100}), at(5, both, third)}, day(3)},
	} {
		if got := oldestRepair("mailbox", c.repairs); !got.Equal(c.mailbox) {
			t.Errorf("%s: %v, want %v", c.what, got, c.mailbox)
		}
	}
}

func TestJudgeRepairs(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	cfg := Config{Keyspace: "popelago", Now: func() time.Time { return now }}
	const day = 24 * time.Hour
	tables := []table{{name: "content", repaired: true, grace: 10 * day}, {name: "mailbox", repaired: true, grace: 10 * day}}
	ago := func(d time.Duration, names ...string) repair {
		return repair{names, now.Add(-d), []tokenRange{{0, 0}}}
	}
	for _, c := range []struct {
		what    string
		tables  []table
		repairs []repair
		since   time.Time
		level   string
		text    string
	}{
		{"all", tables, []repair{ago(2*day, "content"), ago(3*day, "mailbox")}, now.Add(-100 * day), FindingOK, "table mailbox, is of 2026-03-28 at most"},
		{"one late", tables, []repair{ago(2*day, "content"), ago(12*day, "mailbox")}, now.Add(-100 * day), FindingWarning, "parts of the tables mailbox were not repaired since 2026-03-19; gc_grace_seconds is 10 days"},
		{"never", tables, []repair{ago(2*day, "content")}, now.Add(-100 * day), FindingWarning, "parts of the tables mailbox were not repaired in the last 30 days"},
		{"new, never", tables, nil, now.Add(-4 * day), FindingOK, "the first repair is due until 2026-04-06"},
		{"not so new, never", tables, nil, now.Add(-11 * day), FindingWarning, "tables content mailbox were not repaired in the last 11 days"},
		{"a shorter grace", []table{{name: "content", repaired: true, grace: 10 * day}, {name: "mailbox", repaired: true, grace: day}}, []repair{ago(2*day, "content", "mailbox")}, now.Add(-100 * day), FindingWarning, "tables mailbox were not repaired since 2026-03-29; gc_grace_seconds is 1 day"},
		{"options lost", nil, nil, now, FindingWarning, "no table has only_purge_repaired_tombstones"},
	} {
		f := judgeRepairs(cfg, c.tables, c.repairs, c.since)
		if f.Level != c.level || !strings.Contains(f.Text, c.text) || f.Check != "repair" {
			t.Errorf("%s: %+v, want %s: %s", c.what, f, c.level, c.text)
		}
		if f.Level == FindingWarning && len(c.tables) > 0 && !strings.Contains(f.Hint, "nodetool repair -pr popelago") {
			t.Errorf("%s: %+v", c.what, f)
		}
	}
}

// A full repair, one of some replicas and a preview leave data unmarked.
func TestRepairsThatMark(t *testing.T) {
	good := map[string]string{"incremental": "true", "dataCenters": "", "hosts": "", "forceRepair": "false", "previewKind": "NONE", "primaryRange": "true"}
	if !marks(good) {
		t.Error("an incremental repair does not count")
	}
	for name, value := range map[string]string{"incremental": "false", "dataCenters": "dc1", "hosts": "127.0.0.1", "forceRepair": "true", "previewKind": "ALL"} {
		options := map[string]string{}
		for k, v := range good {
			options[k] = v
		}
		options[name] = value
		if marks(options) {
			t.Errorf("%s = %s counts", name, value)
		}
	}
}
