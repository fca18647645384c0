package embedded

import (
	"context"
	"slices"

	"popelago/mail"
)

// RemoveMessages implements store.Mailboxes. It works also while the free space is below the reserve.
func (b *mailboxes) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	for len(ids) > 0 {
		page := ids[:min(len(ids), removePage)]
		ids = ids[len(page):]
		if err := b.removePage(ctx, mailbox, page); err != nil {
			return err
		}
	}
	return contextErr(ctx, "remove messages")
}

func (b *mailboxes) removePage(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	now := b.clock.removalTime().UnixMicro()
	moment := encodeMoment(now)
	ids = slices.Clone(ids) // the committer may read ids after the caller stopped waiting
	w := &write{prepare: func(g *group) error {
		if g.removed == nil {
			g.removed = make(map[rowKey]struct{})
		}
		for _, id := range ids {
			k := messageKey(mailbox, id)
			mk := k.marker()
			g.removed[k] = struct{}{}
			if err := g.batch.Delete(k[:], nil); err != nil {
				return err
			}
			if err := g.batch.Set(mk[:], moment, nil); err != nil {
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

// removePage bounds the ids of one write of RemoveMessages.
const removePage = 2000
