package cassandra

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// A repair is a finished repair that marked data as repaired.
type repair struct {
	tables  []string
	started time.Time // older data was repaired
	ranges  []tokenRange
}

// tokenRange holds the tokens after one token up to another one. After the highest token comes the lowest.
type tokenRange struct{ after, to int64 }

const (
	// maxRepairs bounds the rows that Doctor reads. With a repair -pr a day, 600 nodes write as many in the 30
	// days for which Cassandra keeps the rows.
	maxRepairs = 20_000
	// repairsKept is the time for which Cassandra keeps the rows.
	repairsKept = 30 * 24 * time.Hour
)

// examineRepairs reports the age of the oldest data that was not marked as repaired, by the history that nodes
// keep of their repairs. Without other replicas there is nothing to repair.
func examineRepairs(ctx context.Context, cfg Config, session driver.Session, status SchemaStatus, tables []table) []Finding {
	replicas := 0
	for _, n := range status.Replication {
		replicas += n
	}
	if replicas < 2 {
		return nil
	}
	tables = slices.DeleteFunc(slices.Clone(tables), func(t table) bool { return !t.repaired })
	repairs, err := readRepairs(ctx, cfg, session, gocql.Quorum)
	if err != nil && !unauthorized(err) { // replicas are away
		repairs, err = readRepairs(ctx, cfg, session, gocql.One)
	}
	if err != nil {
		return []Finding{unknownRepairs(cfg, err)}
	}
	return []Finding{judgeRepairs(cfg, tables, repairs, status.Since)}
}

// unknownRepairs reports that the history cannot be read.
func unknownRepairs(cfg Config, err error) Finding {
	f := Finding{Level: FindingOK, Check: "repair", Text: fmt.Sprintf("the last repair is not known: %v", err)}
	if unauthorized(err) {
		f.Text = fmt.Sprintf("the last repair is not known: the user %q may not read system_distributed.parent_repair_history", cfg.Username)
		f.Hint = "execute " + grants([]string{"SELECT ON KEYSPACE system_distributed"}, cfg.Username)
	}
	return f
}

// readRepairs reads the repairs that marked data of the keyspace as repaired: incremental ones with all replicas.
func readRepairs(ctx context.Context, cfg Config, session driver.Session, level gocql.Consistency) (repairs []repair, err error) {
	var keyspace string
	var r repair
	var finished *time.Time
	var failure string
	var options map[string]string
	var ranges []string
	rows := 0
	st := atNode(selectRepairs, maxRepairs+1)
	st.Consistency, st.PageSize = level, 200
	err = driver.Each(ctx, session, st, func() {
		rows++
		if keyspace != cfg.Keyspace || finished == nil || failure != "" || !marks(options) {
			return
		}
		some := repair{tables: slices.Clone(r.tables), started: r.started}
		for _, text := range ranges {
			if t, ok := parseTokenRange(text); ok {
				some.ranges = append(some.ranges, t)
			}
		}
		repairs = append(repairs, some)
	}, &keyspace, &r.tables, &r.started, &finished, &failure, &options, &ranges)
	if err == nil && rows > maxRepairs {
		err = fmt.Errorf("system_distributed.parent_repair_history has more than %d rows", maxRepairs)
	}
	return repairs, err
}

// marks reports whether a repair with these options marks data as repaired.
func marks(options map[string]string) bool {
	return options["incremental"] == "true" && options["forceRepair"] != "true" && options["dataCenters"] == "" && options["hosts"] == "" &&
		(options["previewKind"] == "" || options["previewKind"] == "NONE")
}

// parseTokenRange reads a text such as "(-10,20]".
func parseTokenRange(text string) (t tokenRange, ok bool) {
	text, opened := strings.CutPrefix(text, "(")
	text, closed := strings.CutSuffix(text, "]")
	left, right, parts := strings.Cut(text, ",")
	after, err1 := strconv.ParseInt(strings.TrimSpace(left), 10, 64)
	to, err2 := strconv.ParseInt(strings.TrimSpace(right), 10, 64)
	return tokenRange{after, to}, opened && closed && parts && err1 == nil && err2 == nil
}

// oldestRepair returns the time before which all data of a table was repaired; zero if some was never repaired.
func oldestRepair(table string, repairs []repair) time.Time {
	var ends []int64
	var some []repair
	for _, r := range repairs {
		if !slices.Contains(r.tables, table) {
			continue
		}
		some = append(some, r)
		for _, t := range r.ranges {
			ends = append(ends, t.after, t.to)
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	if len(ends) == 0 {
		return time.Time{}
	}
	slices.SortFunc(some, func(a, b repair) int { return a.started.Compare(b.started) })
	last := make([]time.Time, len(ends)) // of the tokens from the end before up to each end
	for _, r := range some {
		for _, t := range r.ranges {
			from, _ := slices.BinarySearch(ends, t.after)
			to, _ := slices.BinarySearch(ends, t.to)
			for i := from; ; {
				i = (i + 1) % len(ends)
				last[i] = r.started
				if i == to {
					break
				}
			}
		}
	}
	return slices.MinFunc(last, func(a, b time.Time) int { return a.Compare(b) })
}

// judgeRepairs reports the table whose oldest unrepaired data is nearest to, or furthest past, its gc_grace_seconds.
// since is the time at which the schema was made.
func judgeRepairs(cfg Config, tables []table, repairs []repair, since time.Time) Finding {
	type oldest struct {
		table
		at    time.Time
		never bool
		over  time.Duration // past gc_grace_seconds
	}
	now := cfg.Now()
	var all []oldest
	for _, t := range tables {
		o := oldest{table: t, at: oldestRepair(t.name, repairs)}
		if o.at.IsZero() {
			o.at, o.never = since, true
		}
		o.over = now.Sub(o.at) - t.grace
		all = append(all, o)
	}
	if len(all) == 0 {
		return Finding{Level: FindingWarning, Check: "repair", Text: "no table has only_purge_repaired_tombstones: a forgotten repair can bring removed mail back",
			Hint: "compare the tables with popelago schema print"}
	}
	slices.SortFunc(all, func(a, b oldest) int { return cmp.Or(cmp.Compare(b.over, a.over), cmp.Compare(a.name, b.name)) })
	var late []string
	for _, o := range all {
		if o.over > 0 {
			late = append(late, o.name)
		}
	}
	worst := all[0]
	f := Finding{Level: FindingOK, Check: "repair"}
	switch {
	case len(late) > 0:
		f.Level = FindingWarning
		f.Hint = fmt.Sprintf("on every node in turn: nodetool repair -pr %s; until then removals cost space and speed, and nothing comes back", cfg.Keyspace)
		what := fmt.Sprintf("since %s", day(worst.at))
		if worst.never {
			what = fmt.Sprintf("in the last %d days, for which Cassandra keeps its history", int(min(repairsKept, now.Sub(worst.at)).Hours()/24))
		}
		f.Text = fmt.Sprintf("parts of the tables %s were not repaired %s; gc_grace_seconds is %s", firstOf(late), what, inDays(worst.grace))
	case worst.never:
		f.Text = fmt.Sprintf("the tables were not repaired yet: the first repair is due until %s", day(worst.at.Add(worst.grace)))
		f.Hint = fmt.Sprintf("on every node in turn: nodetool repair -pr %s", cfg.Keyspace)
	default:
		f.Text = fmt.Sprintf("all tables were repaired; the oldest data not yet marked as repaired, in table %s, is of %s at most", worst.name, day(worst.at))
	}
	return f
}

// day returns the day of a moment for people.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// inDays returns a text such as "10 days".
func inDays(d time.Duration) string { return count(int(d.Hours()/24), "day") }
