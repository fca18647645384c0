package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// markerVersion is the first octet of a marker that holds the removed row.
const markerVersion = 2

// removedMarker is the value of a row in prefixRemoved.
//
//	version, 8 octets microseconds, the packed row (version 2)
//
// The packed row (mail.Message.AppendRow) is empty after RemoveMessages. Version 1 has no row.
type removedMarker struct {
	removedAt int64
	// old reports that a version of the program without packed rows wrote the marker.
	old bool
	row []byte
}

func (m removedMarker) encode() []byte {
	b := make([]byte, 0, 1+8+len(m.row))
	b = append(b, markerVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(m.removedAt))
	return append(b, m.row...)
}

// decodeMarker undoes encode; the row is not copied.
func decodeMarker(b []byte) (removedMarker, error) {
	if len(b) >= 9 && b[0] == markerVersion {
		return removedMarker{removedAt: int64(binary.BigEndian.Uint64(b[1:9])), row: b[9:]}, nil
	}
	at, err := decodeMoment(b)
	return removedMarker{removedAt: at, old: true}, err
}

// keepRow returns the value of a marker for a removal without a row, at a moment: the row of an earlier
// removal stays.
func keepRow(db *pebble.DB, key rowKey, removedAt int64) ([]byte, error) {
	m := removedMarker{removedAt: removedAt}
	v, err := get(db, key[:])
	if err == nil {
		var before removedMarker
		before, err = decodeMarker(v)
		m.row = before.row
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	return m.encode(), nil
}

// removedAtOnce is the count of markers that one read of RemovedMessages examines.
const removedAtOnce = 1000

// RemovedMessages implements store.Removals: the markers of a mailbox, in the order of the ids.
func (b *mailboxes) RemovedMessages(ctx context.Context, mailbox mail.MailboxID, since time.Time) iter.Seq2[store.Removal, error] {
	return func(yield func(store.Removal, error) bool) {
		lower := append([]byte{prefixRemoved}, mailbox[:]...)
		upper := successor(lower)
		for lower != nil {
			var page []store.Removal
			var err error
			if page, lower, err = b.removedPage(ctx, lower, upper, since.UnixMicro()); err != nil {
				yield(store.Removal{}, err)
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// removedPage returns the removals among the next markers whose content exists. next is nil at the end.
func (b *mailboxes) removedPage(ctx context.Context, lower, upper []byte, since int64) (page []store.Removal, next []byte, err error) {
	const what = "list removed messages"
	if err := contextErr(ctx, what); err != nil {
		return nil, nil, err
	}
	err = b.link.read(what, func(db *pebble.DB) (err error) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		n := 0
		for valid := it.First(); valid; valid = it.Next() {
			if n++; n > removedAtOnce {
				next = append([]byte(nil), it.Key()...)
				return nil
			}
			v, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			r, ok, err := removalOf(db, it.Key(), v, since)
			if err != nil {
				return err
			}
			if ok {
				page = append(page, r)
			}
		}
		return it.Error()
	})
	return page, next, err
}

// removalOf returns the removal of a marker. ok is false if the removal is older than since, or cannot be
// restored.
func removalOf(db *pebble.DB, key, value []byte, since int64) (r store.Removal, ok bool, err error) {
	if len(key) != rowKeyLen {
		return r, false, errBadRow
	}
	m, err := decodeMarker(value)
	if err != nil || m.removedAt < since || len(m.row) == 0 && !m.old {
		return r, false, err
	}
	id := fromSortKey(key[17:])
	content := contentKey(id)
	if exists, err := has(db, content[:]); err != nil || !exists {
		return r, false, err
	}
	if r.Message, err = mail.ParseRow(id, m.row); err != nil {
		return r, false, errBadRow
	}
	r.At = time.UnixMicro(m.removedAt).UTC()
	return r, true, nil
}
