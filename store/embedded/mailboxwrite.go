package embedded

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// removals decides between an addition and a removal of the same message. A message is visible when its row
// exists; RemoveMessages deletes the row and leaves a marker; a row must not be added where a marker
// stands. AddMessages looks for the marker before the committer gets its rows. The committer looks again
// only after a removal from a mailbox of the same stripe: a stripe counts the written groups with removals.
type removals struct {
	stripes [256]atomic.Uint64
}

func (r *removals) stripe(mailbox mail.MailboxID) *atomic.Uint64 { return &r.stripes[mailbox[0]] }

// mailboxes implements store.Mailboxes, and SetBulk of store.Directory.
type mailboxes struct {
	link      *link
	committer *committer
	pending   *pending
	trash     *trash
	tidier    *tidier
	clock     *clockWatch
	space     *space
	removals  removals
}

// addition is one row to be added.
type addition struct {
	key     rowKey
	value   []byte
	id      mail.MessageID
	seen    uint64 // the count of the stripe at the look for the marker
	removed bool
}

// AddMessages implements store.Mailboxes. All rows become durable together or not at all, so
// all entries have the same error.
func (b *mailboxes) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	if len(entries) == 0 {
		return errs
	}
	if err := b.addMessages(ctx, entries); err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

func (b *mailboxes) addMessages(ctx context.Context, entries []store.Entry) error {
	const what = "add messages"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := b.space.check(what); err != nil {
		return err
	}
	adds := make([]addition, len(entries))
	err := b.link.read(what, func(db *pebble.DB) (err error) {
		for i, e := range entries {
			a := &adds[i]
			a.key = messageKey(e.Mailbox, e.Message.ID)
			a.value = encodeMessage(e.Message)
			a.id = e.Message.ID
			a.seen = b.removals.stripe(e.Mailbox).Load()
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
	contents := b.useContents(entries)
	w := &write{prepare: func(g *group) error { return b.prepareAdditions(g, adds, contents) }}
	err = b.committer.commit(ctx, what, w)
	// After an unknown outcome the write may be repeated, and needs the content again.
	b.releaseContents(contents, err == nil)
	return err
}

// pendingUse is a content that entries of one AddMessages need.
type pendingUse struct {
	id  mail.MessageID
	row *pendingRow
	// needed is set when a row with the content is written.
	needed bool
}

func (b *mailboxes) useContents(entries []store.Entry) []pendingUse {
	var uses []pendingUse
	var last mail.MessageID
	for _, e := range entries {
		if e.Message.ID == last {
			continue
		}
		last = e.Message.ID
		if row := b.pending.use(last); row != nil {
			uses = append(uses, pendingUse{id: last, row: row})
		}
	}
	return uses
}

// releaseContents ends useContents. After an unknown outcome the committer may still write needed, and
// releaseContents must not read needed.
func (b *mailboxes) releaseContents(uses []pendingUse, written bool) {
	for i := range uses {
		u := &uses[i]
		b.pending.release(u.id, u.row, written && u.needed)
	}
}

// prepareAdditions runs in the committer.
func (b *mailboxes) prepareAdditions(g *group, adds []addition, contents []pendingUse) error {
	for i := range adds {
		a := &adds[i]
		if a.removed {
			continue
		}
		if _, ok := g.removed[a.key]; ok {
			a.removed = true
			continue
		}
		if b.removals.stripe(a.key.mailbox()).Load() != a.seen {
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
		g.change(a.key.mailbox())
		if err := g.batch.Set(a.key[:], a.value, nil); err != nil {
			return err
		}
	}
	return nil
}

// SetBulk implements store.Directory. It does nothing: mailboxes of any size have one key range.
func (b *mailboxes) SetBulk(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	const what = "make a mailbox bulk"
	if err := contextErr(ctx, what); err != nil {
		return time.Time{}, err
	}
	if err := b.clock.mayChange(what); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, b.link.read(what, func(*pebble.DB) error { return nil })
}
