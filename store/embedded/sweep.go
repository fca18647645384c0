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

// Sweep works off four lists, each in the order in which things were put there:
//
//	pending         contents in memory that never got a message
//	prefixOrphan    those that had to be written to the database
//	prefixTrash     calls of RemoveMessages whose contents may be removed
//	prefixUnpurged  those whose contents are gone and whose markers may be removed, once
//	                they are older than markerLife by the clock and by olderThan
//
// and, once after Open, the content files that no row names: left by a crash or a failure.

type sweepState struct {
	// running is held by the one Sweep at work; another one waits.
	running sync.Mutex
	// seq tells trash rows of one microsecond apart. It begins at random: a clock may stand where it
	// stood before the last stop.
	seq      atomic.Uint64
	openedAt time.Time
	// filesChecked is set when the content files were compared with their rows, which is
	// needed after Open and after failures that may have left a file without a row.
	filesChecked atomic.Bool
	// deleted counts octets of inline content removed since the last flush.
	deleted int64
	// freed is the key behind the last removal that free has looked at; nil for none.
	freed []byte
}

// flushAfter is how many octets of inline content are removed before the tombstones are
// flushed, so that compaction gets to know of the space to be won.
const flushAfter = 16 << 20

// sweepPage is about how many contents are removed in one write; a trash row has no more.
const sweepPage = 200

// Sweep is part of store.Background.
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
			err = s.removeFile(id, row.nonce)
		}
		if err != nil {
			s.sweep.filesChecked.Store(false)
			return err
		}
		if !written {
			s.count(report, row.size)
		}
	}
	return nil
}

// contentWritten reports whether a content row is in the database. AddMessages may have
// written it although its caller stopped waiting or heard of a failure, and may yet do so:
// so it is looked for behind all writes that were waiting.
func (s *Store) contentWritten(ctx context.Context, id mail.MessageID) (bool, error) {
	written := false
	key := contentKey(id)
	err := s.commit(ctx, "sweep", &write{alone: true, prepare: func(g *group) (err error) {
		written, err = has(g.db, key[:])
		return translate(err, "sweep "+id.String())
	}})
	if err != nil {
		return false, err // the committer may still be at it
	}
	return written, nil
}

func (s *Store) count(report *store.SweepReport, octets int64) {
	report.Contents++
	report.Octets += octets
	s.metrics.swept.Add(float64(octets))
}

// sweepOrphans looks at contents that were written without a message.
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

// forgetOrphans takes the notes away that contents have no message.
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

// listedPage reads rows from *lower on, up to about sweepPage ids, and moves *lower behind
// them.
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

// sweepRule says which contents may be removed: no mailbox has them.
type sweepRule struct {
	// olderThan: no mailbox has had them since.
	olderThan time.Time
	// settled: all mailboxes that they are for have removed them, so that no delivery under way
	// can add a row. Without that olderThan must be longer ago than any delivery takes.
	settled bool
}

// sweepContents removes those of the contents that may be by a rule, and writes what also adds
// in the same batch.
//
// Which ones those are is found out first. That no mailbox has got them since is looked at
// within the write, which stands alone, so no AddMessages comes between.
func (s *Store) sweepContents(ctx context.Context, ids []mail.MessageID, rule sweepRule, report *store.SweepReport, also func(*pebble.Batch) error) error {
	dead := make(map[mail.MessageID]contentRow)
	for _, id := range ids {
		err := s.read("sweep content "+id.String(), func(db *pebble.DB) error {
			row, isDead, err := deadContent(db, id, rule)
			if isDead {
				row.data = nil
				dead[id] = row
			}
			return err
		})
		if errors.Is(err, store.ErrCorrupt) {
			// Whose it was cannot be told: it stays.
			s.metrics.corrupt.Inc()
			s.cfg.Logger.Error("embedded store: a removed content is damaged and stays", "err", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	err := s.commit(ctx, "sweep", &write{alone: true, prepare: func(g *group) error {
		for id, row := range dead {
			live, err := anyLive(g.db, id, row.info.Mailboxes)
			if err != nil {
				return translate(err, "sweep "+id.String())
			}
			if live {
				delete(dead, id)
				continue
			}
			k := contentKey(id)
			if err := g.batch.Delete(k[:], nil); err != nil {
				return err
			}
			if err := s.dropMarkers(g, id, row.info.Mailboxes); err != nil {
				return translate(err, "sweep "+id.String())
			}
		}
		return also(g.batch)
	}})
	if err != nil {
		s.sweep.filesChecked.Store(false) // rows may be gone
		return err
	}
	for id, row := range dead {
		s.count(report, row.info.Size)
		if row.kind == kindInline {
			s.sweep.deleted += row.info.Size
			continue
		}
		if err := s.removeFile(id, row.nonce); err != nil {
			s.sweep.filesChecked.Store(false)
			s.cfg.Logger.Warn("embedded store: cannot remove a content file yet", "err", err)
		}
	}
	return nil
}

// removeFile removes the file of a content, if it is there.
func (s *Store) removeFile(id mail.MessageID, nonce [8]byte) error {
	if err := s.cfg.FS.Remove(s.dirs.path(id, nonce)); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

// anyLive reports whether one of the mailboxes has a row of the message.
func anyLive(db *pebble.DB, id mail.MessageID, mailboxes []mail.MailboxID) (bool, error) {
	for _, mailbox := range mailboxes {
		k := messageKey(mailbox, id)
		if live, err := has(db, k[:]); err != nil || live {
			return live, err
		}
	}
	return false, nil
}

// deadContent reports whether a content may be removed by a rule.
func deadContent(db *pebble.DB, id mail.MessageID, rule sweepRule) (row contentRow, dead bool, err error) {
	ck := contentKey(id)
	v, err := get(db, ck[:])
	if errors.Is(err, store.ErrNotFound) {
		return row, false, nil
	}
	if err != nil {
		return row, false, err
	}
	if row, err = decodeContent(v); err != nil {
		return row, false, err
	}
	for _, mailbox := range row.info.Mailboxes {
		k := messageKey(mailbox, id)
		if live, err := has(db, k[:]); err != nil || live {
			return row, false, err
		}
		mk := k.marker()
		v, err := get(db, mk[:])
		if errors.Is(err, store.ErrNotFound) && !rule.settled {
			continue
		}
		if errors.Is(err, store.ErrNotFound) {
			return row, false, nil
		}
		if err != nil {
			return row, false, err
		}
		if removedAt, err := decodeMoment(v); err != nil || removedAt >= rule.olderThan.UnixMicro() {
			return row, false, err
		}
	}
	return row, true, nil
}

// scan calls f for the rows between two keys until it returns false.
func (s *Store) scan(ctx context.Context, lower, upper []byte, f func(k, v []byte) (bool, error)) error {
	return s.read("sweep", func(db *pebble.DB) (err error) {
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

// sweepFiles removes the content files of an earlier process that have no row.
func (s *Store) sweepFiles(ctx context.Context, olderThan time.Time, report *store.SweepReport) error {
	if s.sweep.filesChecked.Load() || !olderThan.After(s.sweep.openedAt) {
		return nil
	}
	fs := s.cfg.FS
	buckets, err := fs.List(s.dirs.content)
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		if len(bucket) != 2 { // tmpDir, or nothing of ours
			continue
		}
		dir := fs.PathJoin(s.dirs.content, bucket)
		names, err := fs.List(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if ctx.Err() != nil {
				return nil
			}
			id, nonce, ok := fileID(name)
			if !ok {
				continue
			}
			if named, err := s.fileNamed(id, nonce); err != nil {
				return err
			} else if named {
				continue
			}
			path := fs.PathJoin(dir, name)
			info, err := fs.Stat(path)
			if err == nil {
				err = fs.Remove(path)
			}
			if err != nil {
				return err
			}
			s.count(report, info.Size())
		}
	}
	s.sweep.filesChecked.Store(true)
	return nil
}

// sweepSpace gives the space of what was removed back to the disk.
func (s *Store) sweepSpace(ctx context.Context, _ time.Time, _ *store.SweepReport) error {
	if s.sweep.deleted >= flushAfter {
		if err := s.read("sweep", func(db *pebble.DB) error { return db.Flush() }); err != nil {
			return err
		}
		s.sweep.deleted = 0
	}
	s.tidy.dueForSweep(max(s.cfg.TidyAfter/sweepDivisor, 1))
	return s.tidyDue(ctx)
}

// fileNamed reports whether a content row, pending or written, names the file.
func (s *Store) fileNamed(id mail.MessageID, nonce [8]byte) (bool, error) {
	// Pending first: a row is written before it stops pending.
	if v := s.pending.get(id); v != nil {
		return true, nil
	}
	key := contentKey(id)
	named := false
	err := s.read("sweep files", func(db *pebble.DB) error {
		v, err := get(db, key[:])
		if err != nil {
			return err
		}
		row, err := decodeContent(v)
		named = err != nil || row.kind == kindFile && row.nonce == nonce
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return named, err
}
