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
	return s.inTrash(ctx, func(id mail.MessageID, mailbox mail.MailboxID) bool { return slices.Contains(contents[id], mailbox) })
}

// inTrash returns the removals in the trash that asked accepts.
func (s *Store) inTrash(ctx context.Context, asked func(mail.MessageID, mail.MailboxID) bool) (map[mail.MessageID][]mail.MailboxID, error) {
	const what = "look through the trash"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	trashed := map[mail.MessageID][]mail.MailboxID{}
	err := s.scan(ctx, []byte{prefixTrash}, []byte{prefixTrash + 1}, func(_, v []byte) (bool, error) {
		mailbox, removed, err := decodeTrash(v)
		for _, id := range removed {
			if asked(id, mailbox) && !slices.Contains(trashed[id], mailbox) {
				trashed[id] = append(trashed[id], mailbox)
			}
		}
		return true, err
	})
	if err == nil {
		err = contextErr(ctx, what) // ended meanwhile
	}
	if err != nil {
		return nil, err
	}
	return trashed, nil
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
func (s *Store) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (report store.SweepReport, err error) {
	const what = "remove orphans"
	if err := contextErr(ctx, what); err != nil {
		return report, err
	}
	if err := s.mayReclaim(what); err != nil {
		return report, err
	}
	var ids []mail.MessageID
	asked := map[mail.MessageID]bool{}
	for _, c := range contents {
		if c.ID.Time().Before(olderThan) {
			ids = append(ids, c.ID)
			asked[c.ID] = true
		}
	}
	s.sweep.running.Lock()
	defer s.sweep.running.Unlock()
	trashed, err := s.inTrash(ctx, func(id mail.MessageID, _ mail.MailboxID) bool { return asked[id] })
	if err != nil {
		return report, err
	}
	ids = slices.DeleteFunc(ids, func(id mail.MessageID) bool { return trashed[id] != nil })
	for page := range slices.Chunk(ids, sweepPage) {
		err := s.sweepContents(ctx, page, sweepRule{olderThan: olderThan}, &report, func(b *pebble.Batch) error { return forgetOrphans(b, page) })
		if err != nil {
			return report, translate(err, what)
		}
	}
	return report, nil
}
