package embedded

import (
	"bytes"
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// While the free space is below the reserve no mail is accepted, and settled contents of removed messages
// (see sweepRule) are removed before the time given to Sweep. So mail is accepted again soon after the
// maildrops were drained. A session that reads a content keeps the content open.

// lookAtSpace keeps the spare, or frees space below the reserve.
func (s *Store) lookAtSpace() {
	if s.space.check("") == nil {
		if s.link.writable() {
			s.spare.keep()
		}
		return
	}
	ctx, cancel := s.closing.context()
	defer cancel()
	if err := s.free(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Logger.Debug("embedded store: freeing space", "cause", err)
	}
}

// free removes the settled contents of removals since its last call.
func (s *Store) free(ctx context.Context) error {
	if s.Clock() != nil || !s.sweep.running.TryLock() {
		return nil
	}
	defer s.sweep.running.Unlock()
	if !s.link.writable() {
		return nil
	}
	rule := sweepRule{olderThan: s.removalTime().Add(time.Microsecond - s.cfg.Undelete), settled: true}
	if s.sweep.freed == nil {
		s.sweep.freed = []byte{prefixTrash}
	}
	upper := trashKey(prefixTrash, rule.olderThan.UnixMicro(), 0)
	var report store.SweepReport
	defer func() {
		if report.Contents > 0 {
			s.cfg.Logger.Info("embedded store: space is short: removed the contents of removed messages early",
				"contents", report.Contents, "octets", report.Octets)
		}
	}()
	for bytes.Compare(s.sweep.freed, upper) < 0 && ctx.Err() == nil {
		next := s.sweep.freed
		rows, err := s.listedPage(ctx, &next, upper)
		if err != nil || len(rows) == 0 {
			return err
		}
		var ids []mail.MessageID
		for _, r := range rows {
			ids = append(ids, r.ids...)
		}
		deleted := s.sweep.deleted
		if err := s.sweepContents(ctx, ids, rule, &report, func(*pebble.Batch) error { return nil }); err != nil {
			return err
		}
		if s.sweep.deleted > deleted {
			if err := s.squeeze(ctx, ids, s.sweep.deleted-deleted); err != nil {
				return err
			}
		}
		s.sweep.freed = next
	}
	return nil
}

// squeeze compacts the range of keys of contents, after removed octets of them were removed, to reclaim
// their space. A range with many other octets is left alone, because they would be rewritten.
func (s *Store) squeeze(ctx context.Context, ids []mail.MessageID, removed int64) error {
	lower, upper := contentKey(ids[0]), contentKey(ids[0])
	for _, id := range ids[1:] {
		k := contentKey(id)
		if bytes.Compare(k[:], lower[:]) < 0 {
			lower = k
		}
		if bytes.Compare(k[:], upper[:]) > 0 {
			upper = k
		}
	}
	end := append(upper[:], 0)
	return s.link.read("free space", func(db *pebble.DB) error {
		if err := db.Flush(); err != nil {
			return err
		}
		all, err := db.EstimateDiskUsage(lower[:], end)
		if err != nil {
			return err
		}
		if int64(all) > 2*removed+int64(s.cfg.MemTableSize) {
			return nil
		}
		return db.Compact(ctx, lower[:], end, false)
	})
}
