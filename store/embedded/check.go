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

// Trashed implements store.Checks.
func (s *Store) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error) {
	return s.trash.find(ctx, func(id mail.MessageID, mailbox mail.MailboxID) bool { return slices.Contains(contents[id], mailbox) })
}

// Floor implements store.Checks: there are none.
func (s *Store) Floor(ctx context.Context, _ mail.MailboxID) (mail.MessageID, error) {
	return mail.MessageID{}, errors.Join(contextErr(ctx, "read a floor"), s.link.read("read a floor", func(*pebble.DB) error { return nil }))
}

// HoldFloor implements store.Checks: there are none.
func (s *Store) HoldFloor(ctx context.Context, _ mail.MailboxID) error {
	return errors.Join(contextErr(ctx, "hold a floor"), s.link.read("hold a floor", func(*pebble.DB) error { return nil }))
}

// RemoveOrphans implements store.Checks.
func (s *Store) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (store.SweepReport, error) {
	return s.sweeper.removeOrphans(ctx, contents, olderThan)
}
