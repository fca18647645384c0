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
	run *runner
}

// journalAtOnce is the count of rows of a batch.
const journalAtOnce = 200

// journalStatements returns the statements that write and list a journal.
func journalStatements(j store.JournalName) (insert, list string) {
	if j == store.JournalAudit {
		return insertAudit, listAudit
	}
	return insertTrace, listTrace
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
	insert, _ := journalStatements(j)
	ttl := journalTTL(keep)
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
	inParallel(len(batches), func(i int) {
		errs[i] = l.run.execBatch(ctx, statement{cql: insert, consistency: l.at.writes(), what: what}, batches[i])
	})
	return errors.Join(errs...)
}

// journalTTL returns the seconds until a row expires: a day more than keep, as in a folder.
func journalTTL(keep time.Duration) int {
	return int((min(max(keep, 0), store.MaxNoteAge) + 24*time.Hour) / time.Second)
}

// Records implements store.Journal: a read of a partition.
func (l *journal) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) (rows []store.Record, more bool, err error) {
	_, list := journalStatements(j)
	at := int64(math.MaxInt64)
	if !before.At.IsZero() {
		at = micros(before.At)
	}
	st := statement{
		cql:         list,
		values:      []any{day, journalShard(key), []byte(key), at, before.ID[:], limit},
		consistency: l.at.reads(),
		what:        fmt.Sprintf("read the journal %s", j),
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
