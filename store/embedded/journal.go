package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"popelago/store"
)

// journals implements store.Journal. The rows of a day are side by side, so that one range tombstone ends a
// day.
type journals struct {
	link      *link
	committer *committer
	clock     *clockWatch
	space     *space
	now       func() time.Time
	trace     atomic.Int64 // see ended
	audit     atomic.Int64
}

func newJournals(cfg Config, l *link, c *committer, clock *clockWatch, s *space) *journals {
	return &journals{link: l, committer: c, clock: clock, space: s, now: cfg.Now}
}

// journalLetter is the letter of a journal in keys.
func journalLetter(j store.JournalName) byte {
	if j == store.JournalAudit {
		return 'a'
	}
	return 't'
}

// journalDay begins the keys of a day.
func journalDay(j store.JournalName, day int) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixJournal, journalLetter(j)}, uint32(day)^1<<31)
}

// journalList begins the keys of the rows with a key on a day.
func journalList(j store.JournalName, key string, day int) []byte {
	return appendText(journalDay(j, day), key)
}

// journalTail is the length of the end of a key: at(8) id(16).
const journalTail = 8 + 16

// appendJournalTail appends the end of a key: the later row comes first.
func appendJournalTail(k []byte, at int64, id [16]byte) []byte {
	k = binary.BigEndian.AppendUint64(k, ^(uint64(at) ^ 1<<63))
	for _, b := range id {
		k = append(k, ^b)
	}
	return k
}

// parseJournalTail undoes appendJournalTail.
func parseJournalTail(k []byte) (at int64, id [16]byte) {
	at = int64(^binary.BigEndian.Uint64(k[:8]) ^ 1<<63)
	for i := range id {
		id[i] = ^k[8+i]
	}
	return at, id
}

// AddRecords implements store.Journal: one write and one fsync. The first call of a day ends the days before
// keep.
func (l *journals) AddRecords(ctx context.Context, j store.JournalName, rows []store.Record, keep time.Duration) error {
	const what = "add to a journal"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := l.space.check(what); err != nil {
		return err
	}
	last := store.DayOf(l.now().Add(-keep)) - 1
	due := int64(last) >= l.ended(j).Load() && l.clock.mayChange("end a day of a journal") == nil
	return l.committer.commit(ctx, what, &write{prepare: func(g *group) error {
		for _, r := range rows {
			k := appendJournalTail(journalList(j, r.Key, store.DayOf(r.At)), r.At.UnixMicro(), r.ID)
			if err := g.batch.Set(k, append([]byte{rowVersion}, r.Data...), nil); err != nil {
				return err
			}
		}
		if !due {
			return nil
		}
		return l.expire(g, j, last)
	}})
}

// ended returns the first day of a journal that is not known to be ended.
func (l *journals) ended(j store.JournalName) *atomic.Int64 {
	if j == store.JournalAudit {
		return &l.audit
	}
	return &l.trace
}

// expire ends the days of a journal up to last. The clock must be trusted.
func (l *journals) expire(g *group, j store.JournalName, last int) error {
	if err := g.batch.DeleteRange(journalDay(j, -1<<31), journalDay(j, last+1), nil); err != nil {
		return err
	}
	l.ended(j).Store(int64(last) + 1)
	return nil
}

// Records implements store.Journal.
func (l *journals) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) (rows []store.Record, more bool, err error) {
	const what = "read a journal"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	list := journalList(j, key, day)
	from := list
	if !before.At.IsZero() {
		from = append(appendJournalTail(bytes.Clone(list), before.At.UnixMicro(), before.ID), 0)
	}
	err = l.link.scan(ctx, from, successor(list), func(k, v []byte) (bool, error) {
		d := newDecoder(v)
		if d.bad || len(k) != len(list)+journalTail {
			return false, errBadRow
		}
		at, id := parseJournalTail(k[len(list):])
		rows = append(rows, store.Record{Key: key, At: fromMicros(at), ID: id, Data: bytes.Clone(d.b)})
		return len(rows) < limit, nil
	})
	if err == nil {
		err = contextErr(ctx, what)
	}
	return rows, len(rows) == limit, err
}
