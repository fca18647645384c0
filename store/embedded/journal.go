package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// journals implements store.Journal. The rows of a day are side by side, so that one range tombstone ends a
// day. Within a day the rows of a volume are side by side, see volume.
type journals struct {
	link      *link
	committer *committer
	clock     *clockWatch
	space     *space
	now       func() time.Time
	// ended holds the first day of each journal that is not known to be ended.
	ended map[store.JournalName]*atomic.Int64
	// volumes holds the newest volume of each journal.
	volumes map[store.JournalName]*volume
}

func newJournals(cfg Config, l *link, c *committer, clock *clockWatch, s *space) *journals {
	return &journals{link: l, committer: c, clock: clock, space: s, now: cfg.Now, ended: map[store.JournalName]*atomic.Int64{
		store.JournalTrace: {}, store.JournalAudit: {}, store.JournalQueue: {},
	}, volumes: map[store.JournalName]*volume{store.JournalTrace: {}, store.JournalAudit: {}}}
}

// journalLetter is the letter of a journal in keys.
func journalLetter(j store.JournalName) byte {
	switch j {
	case store.JournalAudit:
		return 'a'
	case store.JournalQueue:
		return 'q'
	}
	return 't'
}

// journalDay begins the keys of a day.
func journalDay(j store.JournalName, day int) []byte {
	return binary.BigEndian.AppendUint32([]byte{prefixJournal, journalLetter(j)}, uint32(day)^1<<31)
}

// hasVolumes reports whether the rows of a day of a journal are in volumes. The queue has none: few keys have all
// its rows, and a reader follows the keys.
func hasVolumes(j store.JournalName) bool { return j != store.JournalQueue }

// volume is a part of a journal: the rows of a time, side by side. A table of the database with new rows overlaps
// with the rows of the newest volumes alone, so a compaction writes few earlier rows again.
type volume struct {
	number uint64 // rises; the microsecond in which it was begun, or more
	octets int
}

// volumeOctets is the size at which a volume is full.
const volumeOctets = 4 << 20

// journalVolume begins the keys of a volume on a day.
func journalVolume(j store.JournalName, day int, number uint64) []byte {
	return binary.BigEndian.AppendUint64(journalDay(j, day), number)
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
// keep, and for the queue, whose readers have the marks, the marks that are over. Without rows AddRecords needs no free
// space: the end of a day makes room.
func (l *journals) AddRecords(ctx context.Context, j store.JournalName, rows []store.Record, keep time.Duration) error {
	const what = "add to a journal"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := l.space.check(what); err != nil {
			return err
		}
	}
	last := store.DayOf(l.clock.sureTime().Add(-keep)) - 1
	due := int64(last) >= l.ended[j].Load() && l.clock.mayChange("end a day of a journal") == nil
	sweeps := due && j == store.JournalQueue
	// Alone with marks: prepare reads them.
	err := l.committer.commit(ctx, what, &write{alone: sweeps, prepare: func(g *group) error {
		for _, r := range rows {
			k := appendJournalTail(appendText(l.place(j, r), r.Key), r.At.UnixMicro(), r.ID)
			if err := g.batch.Set(k, append([]byte{rowVersion}, r.Data...), nil); err != nil {
				return err
			}
		}
		if !due {
			return nil
		}
		if sweeps {
			if err := expireMarks(g, l.clock.sureTime()); err != nil {
				return err
			}
		}
		return expire(g, j, last)
	}})
	if err == nil && due {
		l.ended[j].Store(int64(last) + 1)
	}
	return err
}

// expire ends the days of a journal up to last. The clock must be trusted.
func expire(g *group, j store.JournalName, last int) error {
	return g.batch.DeleteRange(journalDay(j, -1<<31), journalDay(j, last+1), nil)
}

// place returns the first part of the key of a new row. Called by the committer alone.
func (l *journals) place(j store.JournalName, r store.Record) []byte {
	if !hasVolumes(j) {
		return journalDay(j, store.DayOf(r.At))
	}
	v := l.volumes[j]
	if v.number == 0 || v.octets >= volumeOctets {
		*v = volume{number: max(uint64(l.now().UnixMicro()), v.number+1)}
	}
	v.octets += len(r.Key) + len(r.Data) + journalTail
	return journalVolume(j, store.DayOf(r.At), v.number)
}

// Records implements store.Journal.
func (l *journals) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) (rows []store.Record, more bool, err error) {
	return l.list(ctx, j, day, list{key: key, behind: before, limit: limit})
}

// RecordsAfter implements store.Journal.
func (l *journals) RecordsAfter(ctx context.Context, j store.JournalName, key string, day int, after store.Record, limit int) (rows []store.Record, more bool, err error) {
	return l.list(ctx, j, day, list{key: key, behind: after, limit: limit, oldestFirst: true})
}

// list describes rows to be read.
type list struct {
	key         string
	behind      store.Record
	limit       int
	oldestFirst bool
}

// list reads rows of a day: in each volume, the newest first.
func (l *journals) list(ctx context.Context, j store.JournalName, day int, in list) (rows []store.Record, more bool, err error) {
	const what = "read a journal"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	lower := journalDay(j, day)
	err = l.link.read(what, func(db *pebble.DB) (err error) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: successor(lower)})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		if !hasVolumes(j) {
			rows, err = in.read(it, lower)
			return err
		}
		for valid := it.Last(); valid && ctx.Err() == nil; {
			if len(it.Key()) < len(lower)+8 {
				return errBadRow
			}
			place := bytes.Clone(it.Key()[:len(lower)+8])
			some, err := in.read(it, place)
			if err != nil {
				return err
			}
			rows = store.MergeRecords(append(rows, some...), in.limit, in.oldestFirst)
			valid = it.SeekLT(place)
		}
		return it.Error()
	})
	if err == nil {
		err = contextErr(ctx, what)
	}
	return rows, len(rows) == in.limit, err
}

// read returns the rows whose keys begin with a place.
func (in list) read(it *pebble.Iterator, place []byte) (rows []store.Record, err error) {
	prefix := appendText(bytes.Clone(place), in.key)
	tail := func() []byte { return appendJournalTail(bytes.Clone(prefix), in.behind.At.UnixMicro(), in.behind.ID) }
	var valid bool
	next := it.Next
	switch {
	case in.oldestFirst && in.behind.At.IsZero():
		valid, next = it.SeekLT(successor(prefix)), it.Prev
	case in.oldestFirst:
		valid, next = it.SeekLT(tail()), it.Prev
	case in.behind.At.IsZero():
		valid = it.SeekGE(prefix)
	default:
		valid = it.SeekGE(append(tail(), 0))
	}
	for ; valid && len(rows) < in.limit && bytes.HasPrefix(it.Key(), prefix); valid = next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, err
		}
		d := newDecoder(v)
		if d.bad || len(it.Key()) != len(prefix)+journalTail {
			return nil, errBadRow
		}
		at, id := parseJournalTail(it.Key()[len(prefix):])
		rows = append(rows, store.Record{Key: in.key, At: fromMicros(at), ID: id, Data: bytes.Clone(d.b)})
	}
	return rows, it.Error()
}

// markList begins the keys of the marks of a list.
func markList(list string) []byte { return appendText([]byte{prefixMark}, list) }

// markLen is the length of the value of a mark: version(1) at(8) id(16).
const markLen = 1 + 8 + 16

// parseMark returns the position of a mark.
func parseMark(v []byte) (store.Position, error) {
	if len(v) != markLen || v[0] != rowVersion {
		return store.Position{}, errBadRow
	}
	return store.Position{At: fromMicros(int64(binary.BigEndian.Uint64(v[1:9]))), ID: [16]byte(v[9:])}, nil
}

// The end of a mark is a row beside the mark, whose value is that of the mark and until(8): earlier versions, which keep marks
// for ever, read and move the mark itself. An end with another position than its mark says nothing.
const markEndLen = markLen + 8

// markEndKey returns the key of the end of a mark.
func markEndKey(mark []byte) []byte { return append([]byte{prefixMarkEnd}, mark[1:]...) }

// parseMarkEnd returns the value of the mark, and the time until which the mark lasts.
func parseMarkEnd(v []byte) (mark []byte, until time.Time, err error) {
	if len(v) != markEndLen || v[0] != rowVersion {
		return nil, until, errBadRow
	}
	return v[:markLen], fromMicros(int64(binary.BigEndian.Uint64(v[markLen:]))), nil
}

// AdvanceMarks implements store.Journal. Marks that are over go with the days of the queue. While the clock is behind
// the latest time known, keep counts from the latest time.
func (l *journals) AdvanceMarks(ctx context.Context, list string, marks []store.Mark, keep time.Duration) error {
	const what = "advance marks"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := l.space.check(what); err != nil {
		return err
	}
	until := l.clock.latestTime().Add(keep)
	latest := map[string]store.Position{}
	for _, m := range marks {
		if m.Compare(latest[m.Name]) > 0 {
			latest[m.Name] = m.Position
		}
	}
	// Alone: prepare reads all earlier positions.
	return l.committer.commit(ctx, what, &write{alone: true, prepare: func(g *group) error {
		for name, p := range latest {
			if err := advanceMark(g, append(markList(list), name...), p, until); err != nil {
				return err
			}
		}
		return nil
	}})
}

// advanceMark moves a mark forward. A mark with the same position lasts longer.
func advanceMark(g *group, key []byte, p store.Position, until time.Time) error {
	v := append(binary.BigEndian.AppendUint64([]byte{rowVersion}, uint64(p.At.UnixMicro())), p.ID[:]...)
	end := binary.BigEndian.AppendUint64(bytes.Clone(v), uint64(until.UnixMicro()))
	switch old, err := get(g.db, key); {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	default:
		before, err := parseMark(old)
		if c := p.Compare(before); err != nil || c < 0 {
			return err
		} else if c == 0 && lastsUntil(g, key, v, until) {
			return nil
		}
	}
	if err := g.batch.Set(key, v, nil); err != nil {
		return err
	}
	return g.batch.Set(markEndKey(key), end, nil)
}

// lastsUntil reports whether a mark with a value lasts until a time at least. A mark without a readable end gets a new end.
func lastsUntil(g *group, key, value []byte, until time.Time) bool {
	old, err := get(g.db, markEndKey(key))
	if err != nil {
		return false
	}
	mark, lasts, err := parseMarkEnd(old)
	return err == nil && bytes.Equal(mark, value) && !lasts.Before(until)
}

// expireMarks removes the marks that are over at a time. The clock must be trusted.
func expireMarks(g *group, now time.Time) (err error) {
	all := []byte{prefixMarkEnd}
	it, err := g.db.NewIter(&pebble.IterOptions{LowerBound: all, UpperBound: successor(all)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		mark, until, err := parseMarkEnd(v)
		if err != nil || now.Before(until) { // a mark with a damaged end stays
			continue
		}
		key := bytes.Clone(it.Key())
		if err := g.batch.Delete(key, nil); err != nil {
			return err
		}
		key = append([]byte{prefixMark}, key[1:]...)
		// An earlier version may have moved the mark meanwhile.
		if present, err := get(g.db, key); err != nil || !bytes.Equal(present, mark) {
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			continue
		}
		if err := g.batch.Delete(key, nil); err != nil {
			return err
		}
	}
	return it.Error()
}

// Marks implements store.Journal.
func (l *journals) Marks(ctx context.Context, list string) (marks []store.Mark, err error) {
	const what = "read marks"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	from := markList(list)
	err = l.link.scan(ctx, from, successor(from), func(k, v []byte) (bool, error) {
		p, err := parseMark(v)
		marks = append(marks, store.Mark{Name: string(k[len(from):]), Position: p})
		return true, err
	})
	if err == nil {
		err = contextErr(ctx, what)
	}
	return marks, err
}
