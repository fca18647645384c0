package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/bench/process"
)

// Constants of the work on one table.
const (
	compactionMailboxes = 1000
	compactionRounds    = 8  // each is flushed
	compactionRows      = 20 // of each mailbox in each round, all of which are removed
	compactionReads     = 10_000
	compactionWorkers   = 32
)

// compactedTable is a table with much removed, with the columns of the Cassandra engine that count here, and the statements
// of the engine.
type compactedTable struct {
	name                     string
	columns                  string
	insert, list, removeRows string // the verb is the table, with its keyspace
	// key returns the values of the partition of a mailbox.
	key func(mailbox gocql.UUID, number int) []any
	// behind returns the values between the partition and the message, in insert and removeRows.
	behind func(mailbox gocql.UUID) []any
}

// compactedTables are the two tables in which almost all rows are removed.
var compactedTables = []compactedTable{{
	name: "mailbox",
	columns: `(mailbox uuid, segment int, message timeuuid, size bigint, recipient text, uidl text, origin text,
  PRIMARY KEY ((mailbox, segment), message))`,
	insert:     `INSERT INTO %s (mailbox, segment, message, size) VALUES (?, ?, ?, 8192) USING TIMESTAMP ?`,
	list:       `SELECT message, size FROM %s WHERE mailbox = ? AND segment = ?`,
	removeRows: `DELETE FROM %s USING TIMESTAMP ? WHERE mailbox = ? AND segment = ? AND message IN ?`,
	key:        func(mailbox gocql.UUID, _ int) []any { return []any{mailbox, 0} },
	behind:     func(gocql.UUID) []any { return nil },
}, {
	name: "trash",
	columns: `(datacenter text, hour int, shard int, mailbox uuid, message timeuuid, removed_at bigint, entry blob,
  PRIMARY KEY ((datacenter, hour, shard), mailbox, message))`,
	insert:     `INSERT INTO %s (datacenter, hour, shard, mailbox, message, removed_at) VALUES (?, ?, ?, ?, ?, 1) USING TIMESTAMP ?`,
	list:       `SELECT mailbox, message, removed_at FROM %s WHERE datacenter = ? AND hour = ? AND shard = ?`,
	removeRows: `DELETE FROM %s USING TIMESTAMP ? WHERE datacenter = ? AND hour = ? AND shard = ? AND mailbox = ? AND message IN ?`,
	key:        func(_ gocql.UUID, number int) []any { return []any{"dc1", 1, number % 256} },
	behind:     func(mailbox gocql.UUID) []any { return []any{mailbox} },
}}

// create makes the table.
func (t *compactedTable) create(table, class, options string) string {
	return fmt.Sprintf(`CREATE TABLE %s %s WITH read_repair = 'BLOCKING' AND allow_auto_snapshot = false
  AND compaction = {'class': '%s', 'only_purge_repaired_tombstones': 'true'%s}`, table, t.columns, class, options)
}

// compactionChoices are the strategies that are compared, and their options.
var compactionChoices = []struct{ name, class, options string }{
	{"leveled", "LeveledCompactionStrategy", ""},
	{"size-tiered", "SizeTieredCompactionStrategy", ""},
	{"unified", "UnifiedCompactionStrategy", ""},
	{"unified, L4", "UnifiedCompactionStrategy", ", 'scaling_parameters': 'L4'"},
}

// compacted is what was measured with one table and one strategy.
type compacted struct {
	table, choice string
	work          []float64 // core-milliseconds of the node for each row inserted and removed, compaction included
	read          []float64 // core-milliseconds for each list afterwards
	perSecond     []float64 // lists a second
	octets        int64     // on disk
}

// compaction compares strategies of compaction on the tables in which almost all rows are removed. Each round of work
// inserts rows, lists them and removes them. Tombstones stay, as they do in the ten days of gc_grace_seconds.
func compaction(ctx context.Context, l *lab) error {
	if len(l.cluster.Nodes) != 1 {
		return errors.New("compaction: want one node")
	}
	if err := l.warmUp(ctx); err != nil {
		return err
	}
	s, err := l.cluster.Nodes[0].Session(time.Minute)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Query(createBareKeyspace("compaction", map[string]int{l.settings.datacenters[0].Name: 1})).ExecContext(ctx); err != nil {
		return err
	}
	var all []*compacted
	for round := range l.settings.rounds {
		at := 0
		for _, t := range compactedTables {
			for n, c := range compactionChoices {
				table := fmt.Sprintf("%s_%d_%d", t.name, n, round) // in the keyspace compaction
				process.Note("round %d: %s, %s", round+1, t.name, c.name)
				if err := s.Query(t.create("compaction."+table, c.class, c.options)).ExecContext(ctx); err != nil {
					return err
				}
				if round == 0 {
					all = append(all, &compacted{table: t.name, choice: c.name})
				}
				if err := l.compact(ctx, s, t, table, all[at]); err != nil {
					return fmt.Errorf("%s, %s: %w", t.name, c.name, err)
				}
				if err := s.Query("DROP TABLE compaction." + table).ExecContext(ctx); err != nil {
					return err
				}
				at++
			}
		}
	}
	if err := writeCompacted(os.Stdout, all); err != nil {
		return err
	}
	_, err = fmt.Printf("\n%s; medians of %d rounds; %d maildrops, %d times %d rows each.\n",
		l.where(), l.settings.rounds, compactionMailboxes, compactionRounds, compactionRows)
	return err
}

// compact works on one table, waits until the node compacts nothing, and reads.
func (l *lab) compact(ctx context.Context, s *gocql.Session, t compactedTable, table string, into *compacted) error {
	mailboxes := make([]gocql.UUID, compactionMailboxes)
	for i := range mailboxes {
		mailboxes[i] = gocql.UUID{0: 0xf2, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}
	}
	eachMailbox := func(n int, do func(number int) error) error {
		workers, each := errgroup.WithContext(ctx)
		workers.SetLimit(compactionWorkers)
		for i := range n {
			if each.Err() != nil {
				break
			}
			workers.Go(func() error { return do(i % len(mailboxes)) })
		}
		return errors.Join(workers.Wait(), ctx.Err())
	}
	list := func(i int) error {
		rows := s.Query(fmt.Sprintf(t.list, "compaction."+table), t.key(mailboxes[i], i)...).Consistency(gocql.LocalQuorum).IterContext(ctx)
		return rows.Close()
	}
	used, err := l.spent(ctx, func() (int64, error) {
		for range compactionRounds {
			if err := eachMailbox(len(mailboxes), func(i int) error { return replaceRows(ctx, s, t, "compaction."+table, mailboxes[i], i, list) }); err != nil {
				return 0, err
			}
			if err := l.flush(ctx); err != nil {
				return 0, err
			}
		}
		return compactionRounds * compactionRows * compactionMailboxes, l.settle(ctx)
	})
	if err != nil {
		return err
	}
	into.work = append(into.work, used.nodes.Seconds()*1000/float64(used.count))
	if used, err = l.spent(ctx, func() (int64, error) { return compactionReads, eachMailbox(compactionReads, list) }); err != nil {
		return err
	}
	into.read = append(into.read, used.nodes.Seconds()*1000/float64(used.count))
	into.perSecond = append(into.perSecond, float64(used.count)/used.length.Seconds())
	folders, err := filepath.Glob(filepath.Join(l.dir, "cluster", "*", "data", "compaction", table+"-*"))
	if err != nil || len(folders) != 1 {
		return fmt.Errorf("the folder of the table: %v, %v", folders, err)
	}
	into.octets, err = process.OctetsIn(folders[0])
	return err
}

// replaceRows inserts rows of one mailbox, lists them, and removes them.
func replaceRows(ctx context.Context, s *gocql.Session, t compactedTable, table string, mailbox gocql.UUID, number int, list func(int) error) error {
	var ids []gocql.UUID
	for range compactionRows {
		id := gocql.TimeUUID()
		ids = append(ids, id)
		values := append(append(t.key(mailbox, number), t.behind(mailbox)...), id, time.Now().UnixMicro())
		if err := s.Query(fmt.Sprintf(t.insert, table), values...).Consistency(gocql.LocalQuorum).ExecContext(ctx); err != nil {
			return err
		}
	}
	if err := list(number); err != nil {
		return err
	}
	values := append([]any{time.Now().UnixMicro() + 1}, append(append(t.key(mailbox, number), t.behind(mailbox)...), ids)...)
	return s.Query(fmt.Sprintf(t.removeRows, table), values...).Consistency(gocql.LocalQuorum).ExecContext(ctx)
}

// writeCompacted prints the results as a table in Markdown.
func writeCompacted(w io.Writer, all []*compacted) error {
	fmt.Fprintln(w, "| table | compaction | core-milliseconds of the node for each row, inserted and removed | core-milliseconds for each list | lists/s | on disk, MB |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, c := range all {
		_, err := fmt.Fprintf(w, "| `%s` | %s | %.3f | %.3f | %.0f | %.1f |\n",
			c.table, c.choice, process.Median(c.work), process.Median(c.read), process.Median(c.perSecond), float64(c.octets)/1e6)
		if err != nil {
			return err
		}
	}
	return nil
}
