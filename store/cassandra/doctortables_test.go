package cassandra

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudgeTables(t *testing.T) {
	for what, c := range map[string]struct {
		spoil   func(*table)
		spared  string // a table that the finding leaves out
		level   string
		text    string
		hint    string
		general bool // the finding names no table
	}{
		"as the schema says": {spoil: func(*table) {}, level: FindingOK, text: "with the options of the schema", general: true},
		"a time to live": {spoil: func(t *table) { t.expires = 3600 }, level: FindingError,
			text: "new rows expire", hint: "ALTER TABLE popelago.access_token WITH default_time_to_live = 0"},
		"removals forgotten": {spoil: func(t *table) { t.repaired = false }, spared: "ledger", level: FindingWarning,
			text: "removed mail can come back", hint: "'only_purge_repaired_tombstones': 'true'"},
		"a short grace": {spoil: func(t *table) { t.grace = 20 * time.Hour }, level: FindingWarning,
			text: "drop hints", hint: "gc_grace_seconds = 864000"},
		"the grace of the ledger": {spoil: func(t *table) { t.grace = 24 * time.Hour }, spared: "ledger", level: FindingWarning, text: "drop hints"},
		"no read repair": {spoil: func(t *table) { t.readRepair = "NONE" }, level: FindingWarning,
			text: "missing in the next session", hint: "read_repair = 'BLOCKING'"},
		"Cassandra's speculative retry": {spoil: func(t *table) { t.speculativeRetry = "99p" }, level: FindingWarning,
			text: "wait for a hanging node", hint: "speculative_retry = 'MIN(99p,500ms)'"},
		"the longer one":          {spoil: func(t *table) { t.speculativeRetry = "MAX(99p,500.00ms)" }, level: FindingWarning, text: "wait for a hanging node"},
		"no speculative retry":    {spoil: func(t *table) { t.speculativeRetry = "NEVER" }, level: FindingWarning, text: "wait for a hanging node"},
		"a fixed time":            {spoil: func(t *table) { t.speculativeRetry = "200ms" }, level: FindingOK, general: true},
		"every read":              {spoil: func(t *table) { t.speculativeRetry = "ALWAYS" }, level: FindingOK, general: true},
		"an operator's own table": {spoil: func(t *table) { t.name, t.expires = "notes_of_the_operator", 5 }, level: FindingOK, general: true},
	} {
		wanted := schemaTables()
		var tables []table
		for _, name := range slices.Sorted(maps.Keys(wanted)) {
			some := wanted[name]
			some.readRepair, some.speculativeRetry = "BLOCKING", "MIN(99p,500.00ms)"
			c.spoil(&some)
			tables = append(tables, some)
		}
		found := judgeTables("popelago", true, tables)
		if len(found) != 1 {
			t.Errorf("%s: %+v", what, found)
			continue
		}
		f := found[0]
		if f.Check != "tables" || f.Level != c.level || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Hint, c.hint) {
			t.Errorf("%s: %+v", what, f)
		}
		if strings.Contains(f.Text, "address") == c.general || c.spared != "" && strings.Contains(f.Text, c.spared) {
			t.Errorf("%s names other tables: %s", what, f.Text)
		}
	}
	if found := judgeTables("popelago", false, nil); len(found) != 1 || found[0].Level != FindingError || !strings.Contains(found[0].Hint, "durable_writes = true") {
		t.Errorf("no commit log: %+v", found)
	}
}
