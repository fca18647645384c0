package embedded

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// removals decides between an addition and a removal of the same message. A message is
// visible when it has a row; RemoveMessages deletes the row and leaves a marker; a row must
// not be added where a marker is. AddMessages looks for the marker before it hands its rows
// to the committer, and the committer looks again only if something was removed from a
// mailbox of the same stripe in between: a stripe counts the groups with removals, after they
// were written.
type removals struct {
	stripes [256]atomic.Uint64
}

func (r *removals) stripe(mailbox mail.MailboxID) *atomic.Uint64 { return &r.stripes[mailbox[0]] }

// addition is one row on its way in.
type addition struct {
	key     rowKey
	value   []byte
	id      mail.MessageID
	seen    uint64 // the stripe's count when the marker was looked for
	removed bool
}

// AddMessages is part of store.Mailboxes. All rows become durable together or not at all, so
// all entries have the same error.
func (s *Store) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	if len(entries) == 0 {
		return errs
	}
	if err := s.addMessages(ctx, entries); err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

func (s *Store) addMessages(ctx context.Context, entries []store.Entry) error {
	const what = "add messages"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := s.checkSpace(what); err != nil {
		return err
	}
	adds := make([]addition, len(entries))
	err := s.read(what, func(db *pebble.DB) (err error) {
		for i, e := range entries {
			a := &adds[i]
			a.key = messageKey(e.Mailbox, e.Message.ID)
			a.value = encodeMessage(e.Message)
			a.id = e.Message.ID
			a.seen = s.removals.stripe(e.Mailbox).Load()
			mk := a.key.marker()
			if a.removed, err = has(db, mk[:]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	contents := s.useContents(entries)
	w := &write{prepare: func(g *group) error { return s.prepareAdditions(g, adds, contents) }}
	err = s.commit(ctx, what, w)
	// A write whose outcome is unknown may be repeated: then the content is needed again.
	s.releaseContents(contents, err == nil)
	return err
}

// pendingUse is a content that entries of one AddMessages need.
type pendingUse struct {
	id  mail.MessageID
	row *pendingRow
	// needed is set when a row that refers to the content is written.
	needed bool
}

func (s *Store) useContents(entries []store.Entry) []pendingUse {
	var uses []pendingUse
	var last mail.MessageID
	for _, e := range entries {
		if e.Message.ID == last {
			continue
		}
		last = e.Message.ID
		if row := s.pending.use(last); row != nil {
			uses = append(uses, pendingUse{id: last, row: row})
		}
	}
	return uses
}

// releaseContents ends useContents. Unless the outcome is known the committer may still be at it:
// then needed is its own.
func (s *Store) releaseContents(uses []pendingUse, written bool) {
	for i := range uses {
		u := &uses[i]
		s.pending.release(u.id, u.row, written && u.needed)
	}
}

// prepareAdditions runs in the committer.
func (s *Store) prepareAdditions(g *group, adds []addition, contents []pendingUse) error {
	for i := range adds {
		a := &adds[i]
		if a.removed {
			continue
		}
		if _, ok := g.removed[a.key]; ok {
			a.removed = true
			continue
		}
		if s.removals.stripe(a.key.mailbox()).Load() != a.seen {
			mk := a.key.marker()
			var err error
			if a.removed, err = has(g.db, mk[:]); err != nil {
				return translate(err, "add messages")
			}
		}
	}
	for i := range adds {
		a := &adds[i]
		if a.removed {
			continue
		}
		for j := range contents {
			if u := &contents[j]; u.id == a.id && !u.needed {
				u.needed = true
				ck := contentKey(u.id)
				if err := g.batch.Set(ck[:], u.row.value, nil); err != nil {
					return err
				}
			}
		}
		if err := g.batch.Set(a.key[:], a.value, nil); err != nil {
			return err
		}
	}
	return nil
}

// pageLimit bounds one page of ListMessages.
const pageLimit = 5000

// ListMessages is part of store.Mailboxes.
func (s *Store) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	const what = "list messages"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	limit = min(max(limit, 1), pageLimit)
	err = s.read(what, func(db *pebble.DB) error {
		rows, more, err = s.listMessages(db, mailbox, after, limit)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return rows, more, nil
}

func (s *Store) listMessages(db *pebble.DB, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	lower, upper := mailboxBounds(mailbox)
	if !after.IsZero() {
		k := messageKey(mailbox, after)
		lower = append(k[:], 0) // just behind it
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, err
	}
	defer func() {
		s.tidy.listed(mailbox, it.Stats(), s.cfg.TidyAfter)
		err = errors.Join(err, it.Close())
	}()
	if !after.IsZero() {
		rows = make([]mail.Message, 0, limit) // a list that goes on is a long one
	}
	recipient := ""
	for valid := it.First(); valid; valid = it.Next() {
		if len(rows) == limit {
			return rows, true, nil
		}
		k := it.Key()
		if len(k) != rowKeyLen {
			return nil, false, errBadRow
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		m, err := decodeMessage(v, fromSortKey(k[17:]), recipient)
		if err != nil {
			return nil, false, err
		}
		recipient = m.Recipient
		rows = append(rows, m)
	}
	return rows, false, it.Error()
}

// Message is part of store.Mailboxes.
func (s *Store) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (m mail.Message, err error) {
	const what = "read message row"
	if err := contextErr(ctx, what); err != nil {
		return m, err
	}
	k := messageKey(mailbox, id)
	err = s.read(what, func(db *pebble.DB) error {
		v, err := get(db, k[:])
		if err != nil {
			return err
		}
		m, err = decodeMessage(v, id, "")
		return err
	})
	if err != nil {
		return mail.Message{}, err
	}
	return m, nil
}

// removePage bounds the ids of one write of RemoveMessages.
const removePage = 2000

// RemoveMessages is part of store.Mailboxes. It works on a disk below its reserve too.
func (s *Store) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	for len(ids) > 0 {
		page := ids[:min(len(ids), removePage)]
		ids = ids[len(page):]
		if err := s.removePage(ctx, mailbox, page); err != nil {
			return err
		}
	}
	return contextErr(ctx, "remove messages")
}

func (s *Store) removePage(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	now := s.moment().UnixMicro()
	moment := encodeMoment(now)
	ids = slices.Clone(ids) // the committer may come to it after the caller stopped waiting
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
		g.stripes = append(g.stripes, s.removals.stripe(mailbox))
		for listed := range slices.Chunk(ids, sweepPage) {
			trash := trashKey(prefixTrash, now, s.sweep.seq.Add(1))
			if err := g.batch.Set(trash, encodeTrash(mailbox, listed), nil); err != nil {
				return err
			}
		}
		return nil
	}}
	if err := s.commit(ctx, "remove messages", w); err != nil {
		return err
	}
	s.tidy.removed(mailbox, len(ids), s.cfg.TidyAfter)
	return nil
}

// SetBulk is part of store.Directory. All messages are in one place, which may be large.
func (s *Store) SetBulk(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	const what = "make a mailbox bulk"
	if err := contextErr(ctx, what); err != nil {
		return time.Time{}, err
	}
	if err := s.mayChange(what); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, s.read(what, func(*pebble.DB) error { return nil })
}
