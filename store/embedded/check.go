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

// checks implements store.Checks.
type checks struct {
	link    *link
	pending *pending
	files   *contentFiles
	trash   *trash
	sweeper *sweeper
}

// Trashed implements store.Checks.
func (c *checks) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error) {
	return c.trash.find(ctx, func(id mail.MessageID, mailbox mail.MailboxID) bool { return slices.Contains(contents[id], mailbox) })
}

// Floor implements store.Checks: there are none.
func (c *checks) Floor(ctx context.Context, _ mail.MailboxID) (mail.MessageID, error) {
	return mail.MessageID{}, errors.Join(contextErr(ctx, "read a floor"), c.link.read("read a floor", func(*pebble.DB) error { return nil }))
}

// HoldFloor implements store.Checks: there are no floors. A content that has got a row again is no orphan in
// the write that removes orphans, see remover.remove.
func (c *checks) HoldFloor(ctx context.Context, _ mail.MailboxID) error {
	return errors.Join(contextErr(ctx, "hold a floor"), c.link.read("hold a floor", func(*pebble.DB) error { return nil }))
}

// RemoveOrphans implements store.Checks.
func (c *checks) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (store.SweepReport, error) {
	return c.sweeper.removeOrphans(ctx, contents, olderThan)
}
