package embedded

import (
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// retrievals implements store.Retrievals. A note is written only while its message has a row, and the sweep
// of a removal removes the note: so no note outlives its message.
type retrievals struct {
	link   *link
	writer *directoryWriter
}

// notedAtOnce bounds the notes of one write, and of one read.
const notedAtOnce = 1000

// NoteRetrieved implements store.Retrievals.
func (r *retrievals) NoteRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, at time.Time, _ time.Duration) error {
	for some := range slices.Chunk(ids, notedAtOnce) {
		some = slices.Clone(some) // the committer may read some after the caller stopped waiting
		err := r.writer.change(ctx, "note retrievals", func(g *group) error { return noteRetrievals(g, mailbox, some, at.UnixMicro()) })
		if err != nil {
			return err
		}
	}
	return contextErr(ctx, "note retrievals")
}

// noteRetrievals adds the notes to a group that are not written yet, or are later.
func noteRetrievals(g *group, mailbox mail.MailboxID, ids []mail.MessageID, at int64) error {
	for _, id := range ids {
		row := messageKey(mailbox, id)
		if _, removed := g.removed[row]; removed {
			continue
		}
		if exists, err := has(g.db, row[:]); err != nil || !exists {
			if err != nil {
				return translate(err, "note retrievals")
			}
			continue
		}
		k, first := retrievalKey(mailbox, id), max(at, id.Micros())
		v, err := get(g.db, k[:])
		if err == nil {
			var before int64
			if before, err = decodeMoment(v); err == nil && before <= first {
				continue
			}
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return translate(err, "note retrievals")
		}
		if err := g.batch.Set(k[:], momentColumn(time.UnixMicro(first)), nil); err != nil {
			return err
		}
	}
	return nil
}

// RetrievedMessages implements store.Retrievals, in the order of the ids.
func (r *retrievals) RetrievedMessages(ctx context.Context, mailbox mail.MailboxID, after, through mail.MessageID) iter.Seq2[store.Retrieval, error] {
	return func(yield func(store.Retrieval, error) bool) {
		for more := true; more; {
			var page []store.Retrieval
			var err error
			if page, more, err = r.page(ctx, mailbox, after, through); err != nil {
				yield(store.Retrieval{}, err)
				return
			}
			for _, n := range page {
				if !yield(n, nil) {
					return
				}
				after = n.ID
			}
		}
	}
}

// page returns the next notes behind after, and whether further notes may follow.
func (r *retrievals) page(ctx context.Context, mailbox mail.MailboxID, after, through mail.MessageID) (page []store.Retrieval, more bool, err error) {
	const what = "list retrievals"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	from, to := retrievalKey(mailbox, after), retrievalKey(mailbox, through)
	err = r.link.scan(ctx, append(from[:], 0), append(to[:], 0), func(k, v []byte) (bool, error) {
		at, err := decodeMoment(v)
		if err == nil && len(k) != rowKeyLen {
			err = errBadRow
		}
		if err != nil {
			return false, err
		}
		page = append(page, store.Retrieval{ID: fromSortKey(k[17:]), At: fromMicros(at)})
		more = len(page) == notedAtOnce
		return !more, nil
	})
	if err == nil {
		err = contextErr(ctx, what) // ended meanwhile
	}
	return page, more, err
}

// ForgetRetrieved implements store.Retrievals.
func (r *retrievals) ForgetRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	for some := range slices.Chunk(ids, notedAtOnce) {
		keys := make([]rowKey, len(some))
		for i, id := range some {
			keys[i] = retrievalKey(mailbox, id)
		}
		w := &write{prepare: func(g *group) error { return deleteKeys(g.batch, keys) }}
		if err := r.writer.committer.commit(ctx, "forget retrievals", w); err != nil {
			return err
		}
	}
	return contextErr(ctx, "forget retrievals")
}

// retrievalsOf returns the keys of the notes for removed messages.
func retrievalsOf(l *link, rows []trashRow) (keys []rowKey, err error) {
	err = l.read("sweep", func(db *pebble.DB) error {
		for _, row := range rows {
			for _, id := range row.ids {
				k := retrievalKey(row.mailbox, id)
				exists, err := has(db, k[:])
				if err != nil {
					return err
				}
				if exists {
					keys = append(keys, k)
				}
			}
		}
		return nil
	})
	return keys, err
}

func deleteKeys(b *pebble.Batch, keys []rowKey) error {
	for _, k := range keys {
		if err := b.Delete(k[:], nil); err != nil {
			return err
		}
	}
	return nil
}

// logins implements store.Logins. A note stays as long as the folder: 17 octets of key and 9 of value for
// each account that ever logged in.
type logins struct {
	link   *link
	writer *directoryWriter
}

// NoteLogin implements store.Logins.
func (l *logins) NoteLogin(ctx context.Context, mailbox mail.MailboxID, at time.Time) error {
	const what = "note a login"
	return l.writer.change(ctx, what, func(g *group) error {
		v, err := get(g.db, loginKey(mailbox))
		if err == nil {
			var before int64
			if before, err = decodeMoment(v); err == nil && before >= at.UnixMicro() {
				return nil
			}
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return translate(err, what)
		}
		return g.batch.Set(loginKey(mailbox), momentColumn(at), nil)
	})
}

// LastLogin implements store.Logins.
func (l *logins) LastLogin(ctx context.Context, mailbox mail.MailboxID) (at time.Time, err error) {
	const what = "read the last login"
	if err := contextErr(ctx, what); err != nil {
		return at, err
	}
	err = l.link.read(what, func(db *pebble.DB) error {
		v, err := get(db, loginKey(mailbox))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		var micros int64
		if err == nil {
			micros, err = decodeMoment(v)
		}
		at = fromMicros(micros)
		return err
	})
	return at, err
}
