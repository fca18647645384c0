package cassandra

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"popelago/store"
)

// journal implements store.Journal at one level: a table for each name.
type journal struct {
	at  level
	cfg Config
	run *runner
}

// journalAtOnce is the count of rows of a batch.
const journalAtOnce = 200

// journalParallel is the count of batches under way at the same time. Mail goes first: many batches at the same time
// delay the deliveries of a busy node.
const journalParallel = 2

// journalStatements holds the statements that write and list a journal.
type journalStatements struct{ insert, list, listAfter string }

func statementsOf(j store.JournalName) journalStatements {
	switch j {
	case store.JournalAudit:
		return journalStatements{insertAudit, listAudit, listAuditAfter}
	case store.JournalQueue:
		return journalStatements{insertQueue, listQueue, listQueueAfter}
	}
	return journalStatements{insertTrace, listTrace, listTraceAfter}
}

// journalShard returns the shard of a key.
func journalShard(key string) int {
	h := fnv.New32a()
	h.Write([]byte(key))
	return int(h.Sum32() % journalShards)
}

// journalPartition names a partition of a journal.
type journalPartition struct{ day, shard int }

// AddRecords implements store.Journal: a write for each day and shard, for up to 200 rows.
func (l *journal) AddRecords(ctx context.Context, j store.JournalName, rows []store.Record, keep time.Duration) error {
	what := fmt.Sprintf("add %d rows to the journal %s", len(rows), j)
	if err := l.run.ready(ctx, what); err != nil {
		return err
	}
	insert := statementsOf(j).insert
	ttl := l.ttl(keep)
	values := map[journalPartition][][]any{}
	for _, r := range rows {
		p := journalPartition{store.DayOf(r.At), journalShard(r.Key)}
		at := micros(r.At)
		values[p] = append(values[p], []any{p.day, p.shard, []byte(r.Key), at, r.ID[:], r.Data, at, ttl})
	}
	var batches [][][]any
	for _, all := range values {
		batches = slices.AppendSeq(batches, slices.Chunk(all, journalAtOnce))
	}
	errs := make([]error, len(batches))
	atMost(journalParallel, len(batches), func(i int) {
		errs[i] = l.run.execBatch(ctx, statement{cql: insert, consistency: l.at.writes(), what: what, background: j == store.JournalQueue}, batches[i])
	})
	return errors.Join(errs...)
}

// ttl returns the seconds until a row expires: a day more than keep, as in a folder.
func (l *journal) ttl(keep time.Duration) int {
	return ttlSeconds(l.cfg.Now(), min(max(keep, 0), store.MaxNoteAge)+24*time.Hour)
}

// Records implements store.Journal: a read of a partition.
func (l *journal) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) (rows []store.Record, more bool, err error) {
	at := int64(math.MaxInt64)
	if !before.At.IsZero() {
		at = micros(before.At)
	}
	return l.records(ctx, j, statementsOf(j).list, key, day, at, before.ID, limit)
}

// RecordsAfter implements store.Journal: a read of a partition.
func (l *journal) RecordsAfter(ctx context.Context, j store.JournalName, key string, day int, after store.Record, limit int) (rows []store.Record, more bool, err error) {
	at := int64(math.MinInt64)
	if !after.At.IsZero() {
		at = micros(after.At)
	}
	return l.records(ctx, j, statementsOf(j).listAfter, key, day, at, after.ID, limit)
}

func (l *journal) records(ctx context.Context, j store.JournalName, cql, key string, day int, at int64, id [16]byte, limit int) (rows []store.Record, more bool, err error) {
	st := statement{
		cql:         cql,
		values:      []any{day, journalShard(key), []byte(key), at, id[:], limit},
		consistency: l.at.reads(),
		what:        fmt.Sprintf("read the journal %s", j),
		background:  j == store.JournalQueue,
	}
	err = l.run.readAll(ctx, st, min(limit, maxPage), func(scan func(...any) error) error {
		r := store.Record{Key: key}
		var at int64
		var id []byte
		if err := scan(&at, &id, &r.Data); err != nil {
			return err
		}
		if copy(r.ID[:], id) != len(r.ID) {
			return fmt.Errorf("%w: a row of the journal %s has an id of %d octets", store.ErrCorrupt, j, len(id))
		}
		r.At = moment(&at)
		rows = append(rows, r)
		return nil
	})
	return rows, len(rows) == limit, err
}

// AdvanceMarks implements store.Journal: a write. The time of the position is the timestamp, so the latest
// position wins, and the clocks of the servers do not count.
func (l *journal) AdvanceMarks(ctx context.Context, list string, marks []store.Mark, keep time.Duration) error {
	what := fmt.Sprintf("advance %d marks", len(marks))
	if err := l.run.ready(ctx, what); err != nil || len(marks) == 0 {
		return err
	}
	ttl := l.ttl(keep)
	values := make([][]any, len(marks))
	for i, m := range marks {
		at := micros(m.At)
		values[i] = []any{[]byte(list), []byte(m.Name), at, m.ID[:], at, ttl}
	}
	for some := range slices.Chunk(values, journalAtOnce) {
		if err := l.run.execBatch(ctx, statement{cql: insertMark, consistency: l.at.writes(), what: what, background: true}, some); err != nil {
			return err
		}
	}
	return nil
}

// Marks implements store.Journal: a read of a partition.
func (l *journal) Marks(ctx context.Context, list string) (marks []store.Mark, err error) {
	st := statement{cql: listMarks, values: []any{[]byte(list)}, consistency: l.at.reads(), what: "read marks", background: true}
	err = l.run.readAll(ctx, st, maxPage, func(scan func(...any) error) error {
		var m store.Mark
		var name, id []byte
		var at int64
		if err := scan(&name, &at, &id); err != nil {
			return err
		}
		if copy(m.ID[:], id) != len(m.ID) {
			return fmt.Errorf("%w: a mark has an id of %d octets", store.ErrCorrupt, len(id))
		}
		m.Name, m.At = string(name), moment(&at)
		marks = append(marks, m)
		return nil
	})
	return marks, err
}
