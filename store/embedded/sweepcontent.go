package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// sweepRule selects the contents to remove. No mailbox has a row of them.
type sweepRule struct {
	// olderThan: no mailbox has had a row since.
	olderThan time.Time
	// settled: all their mailboxes have removed them, so that no delivery in flight can add a row.
	// Otherwise olderThan must be longer ago than the longest delivery.
	settled bool
}

// sweepContents removes the contents selected by a rule, and writes the additions of also in the same batch.
//
// The contents are selected first. The write checks again that no mailbox has a row of them; it has a
// group of its own, so no AddMessages comes between.
func (s *Store) sweepContents(ctx context.Context, ids []mail.MessageID, rule sweepRule, report *store.SweepReport, also func(*pebble.Batch) error) error {
	dead := make(map[mail.MessageID]contentRow)
	for _, id := range ids {
		err := s.link.read("sweep content "+id.String(), func(db *pebble.DB) error {
			row, isDead, err := deadContent(db, id, rule)
			if isDead {
				row.data = nil
				dead[id] = row
			}
			return err
		})
		if errors.Is(err, store.ErrCorrupt) {
			// The mailboxes of a damaged content are unknown: the content stays.
			s.metrics.corrupt.Inc()
			s.cfg.Logger.Error("embedded store: a removed content is damaged and stays", "cause", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	err := s.committer.commit(ctx, "sweep", &write{alone: true, prepare: func(g *group) error {
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
		s.files.compared.Store(false) // rows may be gone
		return err
	}
	for id, row := range dead {
		s.count(report, row.info.Size)
		if row.kind == kindInline {
			s.sweep.deleted += row.info.Size
			continue
		}
		if err := s.files.remove(id, row.nonce); err != nil {
			s.files.compared.Store(false)
			s.cfg.Logger.Warn("embedded store: cannot remove a content file yet", "cause", err)
		}
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
