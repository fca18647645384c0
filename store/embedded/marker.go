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

// markers removes the markers of removals that no delivery and no check needs any more.
type markers struct {
	link      *link
	committer *committer
	trash     *trash
	now       func() time.Time
}

func newMarkers(cfg Config, l *link, c *committer, t *trash) *markers {
	return &markers{link: l, committer: c, trash: t, now: cfg.Now}
}

// purge forgets removals of messages whose ids are long past the in-flight window: no delivery can
// add them again. While other mailboxes keep the content the marker stays, for rebuilding a lost index from
// the content. The marker is then removed with the content.
func (m *markers) purge(ctx context.Context, run *sweepRun) error {
	before := min(run.olderThan.UnixMicro(), m.now().UnixMicro()) - markerAge.Microseconds()
	lower, upper := []byte{prefixUnpurged}, trashKey(prefixUnpurged, before, 0)
	for {
		rows, err := m.trash.page(ctx, &lower, upper)
		if err != nil || len(rows) == 0 {
			return err
		}
		var purged []rowKey
		for _, r := range rows {
			for _, id := range r.ids {
				if named, err := m.named(id, r.mailbox); err != nil {
					return err
				} else if !named {
					purged = append(purged, removedKey(r.mailbox, id))
				}
			}
		}
		err = m.committer.commit(ctx, "sweep", &write{prepare: func(g *group) error {
			for _, k := range purged {
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

// named reports whether a content names a mailbox. A damaged content may.
func (m *markers) named(id mail.MessageID, mailbox mail.MailboxID) (named bool, err error) {
	key := contentKey(id)
	err = m.link.read("sweep", func(db *pebble.DB) error {
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

// drop removes the markers that purge kept because of a content that is removed now. purge will still reach
// younger markers, and the marker of the only mailbox of a content.
func (m *markers) drop(g *group, id mail.MessageID, mailboxes []mail.MailboxID) error {
	if len(mailboxes) < 2 {
		return nil
	}
	before := m.now().Add(-markerAge).UnixMicro()
	for _, mailbox := range mailboxes {
		mk := removedKey(mailbox, id)
		v, err := get(g.db, mk[:])
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		removed, err := decodeMarker(v)
		if err == nil && removed.removedAt < before {
			err = g.batch.Delete(mk[:], nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
