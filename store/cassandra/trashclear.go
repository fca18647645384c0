package cassandra

import (
	"context"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// clear removes the rows that are done from a partition of the trash, which was read at a level.
func (r *trashRun) clear(ctx context.Context, p trashPart, rows []removal, done []bool, level gocql.Consistency) error {
	cql, values := clearing(p, rows, done, level)
	if len(values) == 0 {
		return nil
	}
	return r.run.execBatch(ctx, statement{cql: cql, consistency: gocql.LocalQuorum, what: "sweep: clear the trash"}, values)
}

// clearing returns the statement, and the values of each execution, to remove the rows that are done
// from a partition of the trash. The timestamp is just after the rows, so that a row written again later
// stays.
//
// After a read at ALL every row is known: adjacent rows are removed with one range, which leaves one
// tombstone instead of hundreds. A row that arrives later inside the range is lost with the range; the
// scan for orphans then finds its content. After a read at another level each row is removed by itself.
func clearing(p trashPart, rows []removal, done []bool, level gocql.Consistency) (cql string, values [][]any) {
	whole := level == gocql.All
	cql, together := clearTrash, func(_, _ removal) bool { return true }
	if !whole {
		cql, together = deleteTrash, func(a, b removal) bool { return a.mailbox == b.mailbox }
	}
	for i := 0; i < len(rows); {
		n := i
		for n < len(rows) && done[n] && together(rows[i], rows[n]) {
			n++
		}
		if n == i {
			i++
			continue
		}
		run := rows[i:n]
		i = n
		first, last := run[0], run[len(run)-1]
		v := []any{behind(run), p.datacenter, p.hour, p.shard, gocql.UUID(first.mailbox)}
		if whole {
			v = append(v, gocql.UUID(first.message), gocql.UUID(last.mailbox), gocql.UUID(last.message))
		} else {
			ids := make([]mail.MessageID, len(run))
			for i, t := range run {
				ids[i] = t.message
			}
			v = append(v, uuids(ids))
		}
		values = append(values, v)
	}
	return cql, values
}

// behind returns the timestamp just after removals.
func behind(removals []removal) int64 {
	var last int64
	for _, t := range removals {
		last = max(last, t.at)
	}
	return last + 1
}
