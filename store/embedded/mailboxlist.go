package embedded

import (
	"context"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
)

// ListMessages implements store.Mailboxes.
func (b *mailboxes) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	const what = "list messages"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	limit = min(max(limit, 1), pageLimit)
	err = b.link.with(what, func(d *database) error {
		place := d.lists.place(mailbox)
		found, changes, ok := place.get(mailbox, after, limit)
		if ok {
			rows = found
			return nil
		}
		rows, more, err = b.listMessages(d.db, mailbox, after, limit)
		if err == nil && !more {
			place.put(&d.lists, mailbox, after, rows, changes)
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return rows, more, nil
}

func (b *mailboxes) listMessages(db *pebble.DB, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	lower, upper := mailboxBounds(mailbox)
	if !after.IsZero() {
		k := messageKey(mailbox, after)
		lower = append(k[:], 0) // just after
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, err
	}
	defer func() {
		b.tidier.listed(mailbox, it.Stats())
		err = errors.Join(err, it.Close())
	}()
	recipient := ""
	for valid := it.First(); valid; valid = it.Next() {
		if len(rows) == limit {
			return rows, true, nil
		}
		if len(rows) == longList && !after.IsZero() {
			rows = slices.Grow(rows, limit-len(rows)) // a further page, probably
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

// Message implements store.Mailboxes.
func (b *mailboxes) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (row mail.Message, err error) {
	const what = "read message row"
	if err := contextErr(ctx, what); err != nil {
		return row, err
	}
	k := messageKey(mailbox, id)
	err = b.link.read(what, func(db *pebble.DB) error {
		v, err := get(db, k[:])
		if err != nil {
			return err
		}
		row, err = decodeMessage(v, id, "")
		return err
	})
	if err != nil {
		return mail.Message{}, err
	}
	return row, nil
}

// longList is the count of rows from which a page has room for limit rows.
const longList = 64

// pageLimit bounds one page of ListMessages.
const pageLimit = 5000
