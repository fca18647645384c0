package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// ListContents implements store.Checks. Contents have the order of their ids, and a position is an id.
// Contents waiting in memory for their first message are left out.
func (c *checks) ListContents(ctx context.Context, after string, limit int) (contents []store.ContentRow, next string, err error) {
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
		lower = append(k[:], 0) // just after
	}
	limit = min(max(limit, 1), pageLimit)
	err = c.link.read(what, func(db *pebble.DB) (err error) {
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
			row, err := c.inspect(db, fromSortKey(it.Key()[1:]), v)
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

// inspect checks the row of a content without reading a file.
func (c *checks) inspect(db *pebble.DB, id mail.MessageID, value []byte) (found store.ContentRow, err error) {
	found.ID = id
	row, err := decodeContent(value)
	if err != nil {
		found.Damage = translate(err, "content "+id.String())
		return found, nil
	}
	found.Info = row.info
	for _, mailbox := range row.info.Mailboxes {
		mk := removedKey(mailbox, id)
		removed, err := has(db, mk[:])
		if err != nil {
			return found, err
		}
		if removed {
			found.Removed = append(found.Removed, mailbox)
		}
	}
	if err := codec.Known(row.codec); err != nil {
		found.Damage = translate(err, "content "+id.String())
		return found, nil
	}
	if row.kind == kindFile {
		found.Damage, err = c.files.inspect(id, row)
	}
	return found, err
}

// ContentRows implements store.Checks.
func (c *checks) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	const what = "look at contents"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	found := make(map[mail.MessageID]store.ContentRow, len(ids))
	err := c.link.read(what, func(db *pebble.DB) error {
		for _, id := range ids {
			v := c.pending.get(id)
			if v == nil {
				key := contentKey(id)
				var err error
				if v, err = get(db, key[:]); errors.Is(err, store.ErrNotFound) {
					continue
				} else if err != nil {
					return err
				}
			}
			row, err := c.inspect(db, id, v)
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
