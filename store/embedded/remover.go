package embedded

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// remover removes contents without a row in any mailbox.
type remover struct {
	link      *link
	committer *committer
	files     *contentFiles
	markers   *markers
	logger    *slog.Logger
	metrics   *metrics
}

// remove removes the contents that are dead for a run, and writes the additions of also in the same batch.
//
// The contents are selected first. The write checks again that no mailbox has a row of them; it has a
// group of its own, so no AddMessages comes between.
func (r *remover) remove(ctx context.Context, run *sweepRun, ids []mail.MessageID, also func(*pebble.Batch) error) error {
	dead := make(map[mail.MessageID]contentRow)
	for _, id := range ids {
		err := r.link.read("sweep content "+id.String(), func(db *pebble.DB) error {
			row, isDead, err := deadContent(db, id, run)
			if isDead {
				row.data = nil
				dead[id] = row
			}
			return err
		})
		if errors.Is(err, store.ErrCorrupt) {
			// The mailboxes of a damaged content are unknown: the content stays.
			r.metrics.corrupt.Inc()
			r.logger.Error("embedded store: a removed content is damaged and stays", "cause", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	err := r.committer.commit(ctx, "sweep", &write{alone: true, prepare: func(g *group) error {
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
			if err := r.markers.drop(g, id, row.info.Mailboxes); err != nil {
				return translate(err, "sweep "+id.String())
			}
		}
		return also(g.batch)
	}})
	if err != nil {
		r.files.suspect() // rows may be gone
		return err
	}
	for id, row := range dead {
		run.count(row.info.Size)
		if row.kind == kindInline {
			run.state.unflushed += row.info.Size
			continue
		}
		if err := r.files.remove(id, row.nonce); err != nil {
			r.files.suspect()
			r.logger.Warn("embedded store: cannot remove a content file yet", "cause", err)
		}
	}
	run.show(ctx, run.report)
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

// deadContent reports whether a run may remove a content.
func deadContent(db *pebble.DB, id mail.MessageID, run *sweepRun) (row contentRow, dead bool, err error) {
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
		if errors.Is(err, store.ErrNotFound) && !run.settled {
			continue
		}
		if errors.Is(err, store.ErrNotFound) {
			return row, false, nil
		}
		if err != nil {
			return row, false, err
		}
		if m, err := decodeMarker(v); err != nil || m.removedAt >= run.olderThan.UnixMicro() {
			return row, false, err
		}
	}
	return row, true, nil
}
