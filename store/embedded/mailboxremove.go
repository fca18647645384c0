package embedded

import (
	"context"
	"slices"

	"popelago/mail"
)

// RemoveMessages implements store.Mailboxes. It works also while the free space is below the reserve.
func (b *mailboxes) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	for page := range slices.Chunk(ids, removePage) {
		rows := make([]mail.Message, len(page))
		for i, id := range page {
			rows[i].ID = id
		}
		if err := b.removePage(ctx, mailbox, rows); err != nil {
			return err
		}
	}
	return contextErr(ctx, "remove messages")
}

// RemoveListed implements store.Removals, as RemoveMessages.
func (b *mailboxes) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	for page := range slices.Chunk(rows, removePage) {
		if err := b.removePage(ctx, mailbox, page); err != nil {
			return err
		}
	}
	return contextErr(ctx, "remove messages")
}

// removePage removes some rows. A row without size is removed by its id alone.
func (b *mailboxes) removePage(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	now := b.clock.removalTime().UnixMicro()
	// The committer may read ids and markers after the caller stopped waiting.
	ids := make([]mail.MessageID, len(rows))
	markers := make([][]byte, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		if row.Size > 0 {
			markers[i] = removedMarker{removedAt: now, row: row.AppendRow(nil)}.encode()
		}
	}
	w := &write{prepare: func(g *group) error {
		if g.removed == nil {
			g.removed = make(map[rowKey]struct{})
		}
		g.change(mailbox)
		for i, id := range ids {
			k := messageKey(mailbox, id)
			mk := k.marker()
			g.removed[k] = struct{}{}
			if err := g.batch.Delete(k[:], nil); err != nil {
				return err
			}
			value := markers[i]
			if value == nil {
				var err error
				if value, err = keepRow(g.db, mk, now); err != nil {
					return translate(err, "remove messages")
				}
			}
			if err := g.batch.Set(mk[:], value, nil); err != nil {
				return err
			}
		}
		g.stripes = append(g.stripes, b.removals.stripe(mailbox))
		return b.trash.put(g.batch, mailbox, ids, now)
	}}
	if err := b.committer.commit(ctx, "remove messages", w); err != nil {
		return err
	}
	b.tidier.removed(mailbox, len(ids))
	return nil
}

// removePage bounds the rows of one write of RemoveMessages.
const removePage = 2000
