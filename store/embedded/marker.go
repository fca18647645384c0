package embedded

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// purgeMarkers forgets removals of messages whose ids are long past the in-flight window: no delivery can
// add them again. While other mailboxes keep the content the marker stays, for rebuilding a lost index from
// the content. The marker is then removed with the content.
func (s *Store) purgeMarkers(ctx context.Context, olderThan time.Time, _ *store.SweepReport) error {
	before := min(olderThan.UnixMicro(), s.cfg.Now().UnixMicro()) - markerAge.Microseconds()
	lower, upper := []byte{prefixUnpurged}, trashKey(prefixUnpurged, before, 0)
	for {
		rows, err := s.listedPage(ctx, &lower, upper)
		if err != nil || len(rows) == 0 {
			return err
		}
		var markers []rowKey
		for _, r := range rows {
			for _, id := range r.ids {
				if named, err := s.contentNames(id, r.mailbox); err != nil {
					return err
				} else if !named {
					markers = append(markers, removedKey(r.mailbox, id))
				}
			}
		}
		err = s.committer.commit(ctx, "sweep", &write{prepare: func(g *group) error {
			for _, k := range markers {
				if err := g.batch.Delete(k[:], nil); err != nil {
					return err
				}
			}
			for _, r := range rows {
				if err := g.batch.Delete(r.key, nil); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			return err
		}
	}
}

// contentNames reports whether a content names a mailbox. A damaged content may.
func (s *Store) contentNames(id mail.MessageID, mailbox mail.MailboxID) (named bool, err error) {
	key := contentKey(id)
	err = s.link.read("sweep", func(db *pebble.DB) error {
		v, err := get(db, key[:])
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		row, err := decodeContent(v)
		named = err != nil || slices.Contains(row.info.Mailboxes, mailbox)
		return nil
	})
	return named, err
}

// dropMarkers removes the markers that purgeMarkers kept because of a content that is removed now.
// purgeMarkers will still reach younger markers, and the marker of the only mailbox of a content.
func (s *Store) dropMarkers(g *group, id mail.MessageID, mailboxes []mail.MailboxID) error {
	if len(mailboxes) < 2 {
		return nil
	}
	before := s.cfg.Now().Add(-markerAge).UnixMicro()
	for _, mailbox := range mailboxes {
		mk := removedKey(mailbox, id)
		v, err := get(g.db, mk[:])
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		removedAt, err := decodeMoment(v)
		if err == nil && removedAt < before {
			err = g.batch.Delete(mk[:], nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
