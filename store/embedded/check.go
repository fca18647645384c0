package embedded

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// ListContents is part of store.Checks. The order is that of the ids, and a position is an id.
// Content that waits in memory for its first message is left out.
func (s *Store) ListContents(ctx context.Context, after string, limit int) (contents []store.ContentRow, next string, err error) {
	const what = "list contents"
	if err := contextErr(ctx, what); err != nil {
		return nil, "", err
	}
	lower := []byte{prefixContent}
	if after != "" {
		id, err := mail.ParseMessageID(after)
		if err != nil {
			return nil, "", translate(err, what)
		}
		k := contentKey(id)
		lower = append(k[:], 0) // just behind it
	}
	limit = min(max(limit, 1), pageLimit)
	err = s.read(what, func(db *pebble.DB) (err error) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: []byte{prefixContent + 1}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		for valid := it.First(); valid; valid = it.Next() {
			if len(it.Key()) != contentKeyLen {
				return errBadRow
			}
			if len(contents) == limit {
				next = contents[limit-1].ID.String()
				return nil
			}
			v, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			row, err := s.contentInspected(db, fromSortKey(it.Key()[1:]), v)
			if err != nil {
				return err
			}
			contents = append(contents, row)
		}
		return it.Error()
	})
	if err != nil {
		return nil, "", err
	}
	return contents, next, nil
}

// contentInspected is what can be told about a content from its row, without reading a file.
func (s *Store) contentInspected(db *pebble.DB, id mail.MessageID, value []byte) (c store.ContentRow, err error) {
	c.ID = id
	row, err := decodeContent(value)
	if err != nil {
		c.Damage = translate(err, "content "+id.String())
		return c, nil
	}
	c.Info = row.info
	for _, mailbox := range row.info.Mailboxes {
		mk := removedKey(mailbox, id)
		removed, err := has(db, mk[:])
		if err != nil {
			return c, err
		}
		if removed {
			c.Removed = append(c.Removed, mailbox)
		}
	}
	if row.kind == kindFile {
		c.Damage, err = s.fileInspected(id, row)
	}
	return c, err
}

// fileInspected looks whether the file of a content is there and as long as it should be.
func (s *Store) fileInspected(id mail.MessageID, row contentRow) (damage, err error) {
	path := s.dirs.path(id, row.nonce)
	info, err := s.cfg.FS.Stat(path)
	switch {
	case isNotExist(err):
		return translate(fmt.Errorf("%w: missing", errBadFile), path), nil
	case err != nil:
		return nil, err
	case info.Size() != fileLength(row.info.Size):
		return translate(fmt.Errorf("%w: %d octets, not %d", errBadFile, info.Size(), fileLength(row.info.Size)), path), nil
	}
	return nil, nil
}

// ContentRows is part of store.Checks.
func (s *Store) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	const what = "look at contents"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	found := make(map[mail.MessageID]store.ContentRow, len(ids))
	err := s.read(what, func(db *pebble.DB) error {
		for _, id := range ids {
			v := s.pending.get(id)
			if v == nil {
				key := contentKey(id)
				var err error
				if v, err = get(db, key[:]); errors.Is(err, store.ErrNotFound) {
					continue
				} else if err != nil {
					return err
				}
			}
			row, err := s.contentInspected(db, id, v)
			if err != nil {
				return err
			}
			found[id] = row
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Trashed is part of store.Checks.
func (s *Store) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error) {
	return s.inTrash(ctx, func(id mail.MessageID, mailbox mail.MailboxID) bool { return slices.Contains(contents[id], mailbox) })
}

// inTrash returns which mailboxes removed some messages: what asked accepts of the trash.
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
		err = contextErr(ctx, what) // ended on the way
	}
	if err != nil {
		return nil, err
	}
	return trashed, nil
}

// Floor is part of store.Checks: there are none.
func (s *Store) Floor(ctx context.Context, _ mail.MailboxID) (mail.MessageID, error) {
	return mail.MessageID{}, errors.Join(contextErr(ctx, "read a floor"), s.read("read a floor", func(*pebble.DB) error { return nil }))
}

// HoldFloor is part of store.Checks: there are none.
func (s *Store) HoldFloor(ctx context.Context, _ mail.MailboxID) error {
	return errors.Join(contextErr(ctx, "hold a floor"), s.read("hold a floor", func(*pebble.DB) error { return nil }))
}

// RemoveOrphans is part of store.Checks.
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

// Progress is part of store.Notes.
func (s *Store) Progress(ctx context.Context, name string) (text string, err error) {
	const what = "read progress"
	if err := contextErr(ctx, what); err != nil {
		return "", err
	}
	err = s.read(what, func(db *pebble.DB) error {
		v, err := get(db, progressKey(name))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		d := newDecoder(v)
		text = d.text()
		return d.end()
	})
	return text, err
}

// SetProgress is part of store.Notes.
func (s *Store) SetProgress(ctx context.Context, name, text string) error {
	const what = "note progress"
	if err := s.checkSpace(what); err != nil {
		return err
	}
	return s.commit(ctx, what, &write{prepare: func(g *group) error {
		if text == "" {
			return g.batch.Delete(progressKey(name), nil)
		}
		return g.batch.Set(progressKey(name), textColumn(text), nil)
	}})
}
