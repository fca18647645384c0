package embedded

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// Sweep works through four lists, each in the order of insertion:
//
//	pending         contents in memory without a message
//	prefixOrphan    contents in the database without a message
//	prefixTrash     calls of RemoveMessages whose contents may be removed
//	prefixUnpurged  calls of RemoveMessages whose contents are gone; their markers may be removed
//	                once they are older than markerAge by the clock and by olderThan
//
// and, once after Open, through the content files without a row, left by a crash or a failure.

type sweepState struct {
	// running is held by the running Sweep; a second Sweep waits.
	running sync.Mutex
	// seq numbers trash rows of one microsecond. It begins at random: after a stop the clock may show an
	// earlier time again.
	seq      atomic.Uint64
	openedAt time.Time
	// deleted counts octets of inline content removed since the last flush.
	deleted int64
	// freed is the key after the last removal that free has read; nil for none.
	freed []byte
}

// flushAfter is the count of octets of removed inline content after which tombstones are flushed, so that
// compaction reclaims their space.
const flushAfter = 16 << 20

// sweepPage is about the count of contents removed in one write; a trash row has no more.
const sweepPage = 200

// Sweep implements store.Background.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) (report store.SweepReport, err error) {
	if err := s.mayReclaim("sweep"); err != nil {
		return report, err
	}
	s.sweep.running.Lock()
	defer s.sweep.running.Unlock()
	steps := []func(context.Context, time.Time, *store.SweepReport) error{
		s.sweepPending, s.sweepOrphans, s.sweepTrash, s.purgeMarkers, s.sweepFiles, s.sweepSpace,
	}
	for _, step := range steps {
		if ctx.Err() != nil {
			return report, nil
		}
		if err := step(ctx, olderThan, &report); err != nil {
			if ctx.Err() != nil {
				return report, nil
			}
			return report, translate(err, "sweep")
		}
	}
	return report, nil
}

// sweepPending forgets contents in memory.
func (s *Store) sweepPending(ctx context.Context, olderThan time.Time, report *store.SweepReport) error {
	for id, row := range s.pending.takeOld(olderThan.UnixMicro()) {
		written, err := s.contentWritten(ctx, id)
		if err == nil && !written && row.kind == kindFile {
			err = s.files.remove(id, row.nonce)
		}
		if err != nil {
			s.files.compared.Store(false)
			return err
		}
		if !written {
			s.count(report, row.size)
		}
	}
	return nil
}

// contentWritten reports whether a content row is in the database. An AddMessages may write the row after
// its caller stopped waiting or received an error: so contentWritten reads after all waiting writes.
func (s *Store) contentWritten(ctx context.Context, id mail.MessageID) (bool, error) {
	written := false
	key := contentKey(id)
	err := s.committer.commit(ctx, "sweep", &write{alone: true, prepare: func(g *group) (err error) {
		written, err = has(g.db, key[:])
		return translate(err, "sweep "+id.String())
	}})
	if err != nil {
		return false, err // the committer may still write the row
	}
	return written, nil
}

func (s *Store) count(report *store.SweepReport, octets int64) {
	report.Contents++
	report.Octets += octets
	s.metrics.swept.Add(float64(octets))
}

// sweepOrphans removes contents that were written without a message.
func (s *Store) sweepOrphans(ctx context.Context, olderThan time.Time, report *store.SweepReport) error {
	var ids []mail.MessageID
	err := s.scan(ctx, []byte{prefixOrphan}, []byte{prefixOrphan + 1}, func(k, v []byte) (bool, error) {
		putAt, err := decodeMoment(v)
		if err != nil || len(k) != contentKeyLen {
			return false, errors.Join(err, errBadRow)
		}
		if putAt < olderThan.UnixMicro() {
			ids = append(ids, fromSortKey(k[1:]))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for page := range slices.Chunk(ids, sweepPage) {
		err := s.sweepContents(ctx, page, sweepRule{olderThan: olderThan}, report, func(b *pebble.Batch) error { return forgetOrphans(b, page) })
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetOrphans removes the orphan rows of contents.
func forgetOrphans(b *pebble.Batch, ids []mail.MessageID) error {
	for _, id := range ids {
		k := orphanKey(id)
		if err := b.Delete(k[:], nil); err != nil {
			return err
		}
	}
	return nil
}

// listedRow is a row of prefixTrash or prefixUnpurged.
type listedRow struct {
	key, value []byte
	removedAt  int64
	seq        uint64
	mailbox    mail.MailboxID
	ids        []mail.MessageID
}

// listedPage reads rows from *lower on, up to about sweepPage ids, and moves *lower after them.
func (s *Store) listedPage(ctx context.Context, lower *[]byte, upper []byte) (rows []listedRow, err error) {
	n := 0
	err = s.scan(ctx, *lower, upper, func(k, v []byte) (bool, error) {
		r := listedRow{key: append([]byte(nil), k...), value: append([]byte(nil), v...)}
		var err error
		if r.removedAt, r.seq, err = parseTrashKey(k); err != nil {
			return false, err
		}
		if r.mailbox, r.ids, err = decodeTrash(v); err != nil {
			return false, err
		}
		rows = append(rows, r)
		n += len(r.ids)
		*lower = append(append((*lower)[:0:0], k...), 0)
		return n < sweepPage, nil
	})
	return rows, err
}

// sweepTrash removes the contents of old removals and moves their rows to prefixUnpurged.
func (s *Store) sweepTrash(ctx context.Context, olderThan time.Time, report *store.SweepReport) error {
	lower, upper := []byte{prefixTrash}, trashKey(prefixTrash, olderThan.UnixMicro(), 0)
	for {
		rows, err := s.listedPage(ctx, &lower, upper)
		if err != nil || len(rows) == 0 {
			return err
		}
		var ids []mail.MessageID
		for _, r := range rows {
			ids = append(ids, r.ids...)
		}
		err = s.sweepContents(ctx, ids, sweepRule{olderThan: olderThan}, report, func(b *pebble.Batch) error {
			for _, r := range rows {
				if err := b.Set(trashKey(prefixUnpurged, r.removedAt, r.seq), r.value, nil); err != nil {
					return err
				}
				if err := b.Delete(r.key, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// scan calls f for the rows between two keys until it returns false.
func (s *Store) scan(ctx context.Context, lower, upper []byte, f func(k, v []byte) (bool, error)) error {
	return s.link.read("sweep", func(db *pebble.DB) (err error) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		for valid := it.First(); valid && ctx.Err() == nil; valid = it.Next() {
			v, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			if more, err := f(it.Key(), v); err != nil || !more {
				return err
			}
		}
		return it.Error()
	})
}

// RaiseFloors implements store.Background: mailboxes are tidied as they are emptied, see tidy.go.
func (s *Store) RaiseFloors(context.Context) (store.FloorReport, error) {
	return store.FloorReport{}, s.mayReclaim("raise floors")
}

// SweepOrphans implements store.Background: Sweep has a list of orphans.
func (s *Store) SweepOrphans(context.Context, time.Time, time.Time) (store.OrphanReport, error) {
	return store.OrphanReport{}, s.mayReclaim("sweep orphans")
}

// MayReclaim implements store.Background.
func (s *Store) MayReclaim() error { return s.Clock() }

// mayReclaim is MayReclaim while the store is open.
func (s *Store) mayReclaim(what string) error {
	if s.closing.hasBegun() {
		return translate(store.ErrClosed, what)
	}
	return s.MayReclaim()
}
