package embedded

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
)

// trash lists removals by their time: in prefixTrash until their contents are swept, then in prefixUnpurged
// until their markers are purged. Safe for concurrent use.
type trash struct {
	link *link
	// last numbers rows of one microsecond. It begins at random: after a stop the clock may show an
	// earlier time again.
	last atomic.Uint64
}

func newTrash(l *link) *trash {
	t := &trash{link: l}
	t.last.Store(rand.Uint64() / 2) // must rise
	return t
}

// put adds a removal to a batch. at is in microseconds.
func (t *trash) put(b *pebble.Batch, mailbox mail.MailboxID, ids []mail.MessageID, at int64) error {
	for listed := range slices.Chunk(ids, sweepPage) {
		if err := b.Set(trashKey(prefixTrash, at, t.last.Add(1)), encodeTrash(mailbox, listed), nil); err != nil {
			return err
		}
	}
	return nil
}

// trashRow is a row of prefixTrash or prefixUnpurged.
type trashRow struct {
	key, value []byte
	removedAt  int64
	seq        uint64
	mailbox    mail.MailboxID
	ids        []mail.MessageID
}

// page reads rows from *lower on, up to about sweepPage ids, and moves *lower after them.
func (t *trash) page(ctx context.Context, lower *[]byte, upper []byte) (rows []trashRow, err error) {
	n := 0
	err = t.link.scan(ctx, *lower, upper, func(k, v []byte) (bool, error) {
		r := trashRow{key: append([]byte(nil), k...), value: append([]byte(nil), v...)}
		var err error
		if r.removedAt, r.seq, err = parseTrashKey(k); err != nil {
			return false, err
		}
		if r.mailbox, r.ids, err = decodeTrash(v); err != nil {
			return false, err
		}
		rows = append(rows, r)
		n += len(r.ids)
		*lower = append(append((*lower)[:0:0], k...), 0)
		return n < sweepPage, nil
	})
	return rows, err
}

// idsOf returns the ids of removals, in order.
func idsOf(rows []trashRow) (ids []mail.MessageID) {
	for _, r := range rows {
		ids = append(ids, r.ids...)
	}
	return ids
}

// moveSwept moves rows from prefixTrash to prefixUnpurged.
func moveSwept(b *pebble.Batch, rows []trashRow) error {
	for _, r := range rows {
		if err := b.Set(trashKey(prefixUnpurged, r.removedAt, r.seq), r.value, nil); err != nil {
			return err
		}
		if err := b.Delete(r.key, nil); err != nil {
			return err
		}
	}
	return nil
}

// find returns the removals in prefixTrash that asked accepts.
func (t *trash) find(ctx context.Context, asked func(mail.MessageID, mail.MailboxID) bool) (map[mail.MessageID][]mail.MailboxID, error) {
	const what = "look through the trash"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	trashed := map[mail.MessageID][]mail.MailboxID{}
	err := t.link.scan(ctx, []byte{prefixTrash}, []byte{prefixTrash + 1}, func(_, v []byte) (bool, error) {
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
