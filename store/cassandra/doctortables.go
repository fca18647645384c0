package cassandra

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"popelago/store/cassandra/driver"
)

// A table is what Doctor knows about the options of a table.
type table struct {
	name             string
	repaired         bool          // only_purge_repaired_tombstones: the table forgets removals only when they were repaired
	grace            time.Duration // gc_grace_seconds
	readRepair       string
	speculativeRetry string
	expires          int // default_time_to_live in seconds, 0 for never
}

// readTables reads the options of the tables in the keyspace.
func readTables(ctx context.Context, cfg Config, session driver.Session) (tables []table, err error) {
	var t table
	var seconds int
	var compaction map[string]string
	err = driver.Each(ctx, session, atNode(selectTableOptions, cfg.Keyspace), func() {
		t.repaired, t.grace = compaction[purgeRepaired] == "true", time.Duration(seconds)*time.Second
		tables = append(tables, t)
	}, &t.name, &seconds, &compaction, &t.readRepair, &t.speculativeRetry, &t.expires)
	return tables, err
}

// examineTables compares the options of the keyspace and of its tables with the schema's, and examines the repairs.
func examineTables(ctx context.Context, cfg Config, session driver.Session, status SchemaStatus) []Finding {
	var durable bool
	err := driver.ScanOne(ctx, session, atNode(selectDurableWrites, cfg.Keyspace), &durable)
	var tables []table
	if err == nil {
		tables, err = readTables(ctx, cfg, session)
	}
	if err != nil {
		return []Finding{failedCheck("tables", "the options of the tables cannot be read", err)}
	}
	return append(judgeTables(cfg.Keyspace, durable, tables), examineRepairs(ctx, cfg, session, status, tables)...)
}

// judgeTables reports options that break a promise or slow reads down, one finding for each option. Operators are
// free to choose another strategy of compaction, or another compression. durable is the keyspace's durable_writes.
func judgeTables(keyspace string, durable bool, tables []table) []Finding {
	wanted := schemaTables()
	var found []Finding
	if !durable {
		found = append(found, Finding{
			Level: FindingError, Check: "tables", Text: "the keyspace has durable_writes = false: nodes write no commit log, and lose acknowledged mail when they stop",
			Hint: "execute ALTER KEYSPACE " + keyspace + " WITH durable_writes = true, then nodetool flush " + keyspace + " on each node",
		})
	}
	judge := func(level, effect, option string, differs func(t, want table) bool) {
		var names []string
		for _, t := range tables {
			if want, ours := wanted[t.name]; ours && differs(t, want) {
				names = append(names, t.name)
			}
		}
		if len(names) == 0 {
			return
		}
		found = append(found, Finding{
			Level: level, Check: "tables", Text: fmt.Sprintf(effect, firstOf(names)),
			Hint: fmt.Sprintf("for each of these tables execute ALTER TABLE %s.%s WITH %s", keyspace, names[0], option),
		})
	}
	judge(FindingError, "default_time_to_live is set for %s: new rows expire, and the mail with them", "default_time_to_live = 0",
		func(t, _ table) bool { return t.expires > 0 })
	judge(FindingWarning, purgeRepaired+" is off for %s: nodes forget removals that were not repaired, and removed mail can come back",
		"compaction = {..., '"+purgeRepaired+"': 'true'} (keep the other options of compaction)",
		func(t, want table) bool { return want.repaired && !t.repaired })
	judge(FindingWarning, "gc_grace_seconds is shorter than the schema's for %s: nodes forget removals too early, and drop hints that are older",
		fmt.Sprintf("gc_grace_seconds = %d", int(graceByDefault.Seconds())),
		func(t, want table) bool { return t.grace < want.grace })
	judge(FindingWarning, "read_repair is off for %s: a message listed in one session can be missing in the next session, until the nodes agree",
		"read_repair = 'BLOCKING'", func(t, _ table) bool { return t.readRepair != "BLOCKING" })
	judge(FindingWarning, "speculative_retry has no limit of its own for %s: reads of a table with little traffic wait for a hanging node until they fail",
		"speculative_retry = 'MIN(99p,500ms)'", func(t, _ table) bool { return waitsForReplica(t.speculativeRetry) })
	if len(found) == 0 {
		found = append(found, Finding{Level: FindingOK, Check: "tables", Text: count(len(wanted), "table") + " with the options of the schema"})
	}
	return found
}

// schemaTables returns the tables of the schema by their names, with repaired and grace only.
func schemaTables() map[string]table {
	tables := map[string]table{}
	for _, step := range slices.Concat(migrations()...) {
		name, made := strings.CutPrefix(subject(step), "table ")
		if !made {
			continue
		}
		t := table{name: name, repaired: strings.Contains(step, purgeRepaired), grace: graceByDefault}
		if m := graceOfTable.FindStringSubmatch(step); m != nil {
			seconds, _ := strconv.Atoi(m[1])
			t.grace = time.Duration(seconds) * time.Second
		}
		tables[name] = t
	}
	return tables
}

const (
	// graceByDefault is Cassandra's default of gc_grace_seconds.
	graceByDefault = 10 * 24 * time.Hour
	// purgeRepaired is an option of compaction.
	purgeRepaired = "only_purge_repaired_tombstones"
)

var graceOfTable = regexp.MustCompile(`gc_grace_seconds = (\d+)`)

// waitsForReplica reports whether a node with this speculative_retry may wait for a hanging replica as long as for any
// answer: a percentile of the latencies alone grows to read_request_timeout.
func waitsForReplica(speculativeRetry string) bool {
	policy := strings.ToUpper(speculativeRetry)
	switch {
	case policy == "ALWAYS":
		return false
	case strings.HasPrefix(policy, "MAX"):
		return true
	default:
		return !strings.Contains(policy, "MS") // the time of MIN(99p,500ms) or 200ms
	}
}
