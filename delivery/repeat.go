package delivery

import (
	"context"
	"errors"
	"slices"

	"popelago/mail"
	"popelago/store"
)

// before is an attempt that this trial repeats.
type before struct {
	store.Attempt
	recipients map[mail.MailboxID]*store.AttemptRecipient
	// spoiled: rows of it were removed, so nothing more may be written under its id.
	spoiled bool
}

// bring makes b what it is in the datacenter that answers now. What only another one
// acknowledged may be missing here, and may never come: such content is not stored, and of such
// a row nothing is known, unless the sender has been told of a success and so has let it go.
func (b *before) bring(origin string) {
	if b.Origin == origin {
		return
	}
	for i := range b.Recipients {
		if r := &b.Recipients[i]; r.Outcome == store.AttemptStored && r.Reached != mail.ReachedEach && !r.Told {
			r.Outcome = store.AttemptUnknown
		}
	}
	if b.ContentReached == mail.ReachedEach {
		b.Origin = origin // what is written under its id from now on is acknowledged there
	} else {
		b.ContentStored = false
	}
}

// use makes earlier attempts part of t: what they stored need not be stored again.
func (t *trial) use(taken []store.Attempt) {
	for _, a := range taken {
		b := before{Attempt: a, recipients: make(map[mail.MailboxID]*store.AttemptRecipient, len(a.Recipients))}
		b.Recipients = slices.Clone(a.Recipients)
		b.bring(t.origin)
		for i := range b.Recipients {
			r := &b.Recipients[i]
			b.recipients[r.Mailbox] = r
			k, again := t.index[r.Mailbox]
			if again && r.Outcome == store.AttemptStored {
				t.entries[k].had, t.entries[k].reached = true, r.Reached
			}
		}
		t.before = append(t.before, b)
	}
}

// reusable returns the attempt under whose id the rows that are due may be written: its
// content is stored, for them too, and its id is so young that whatever goes on in the
// background leaves it alone. Nil: there is none.
func (d *Deliverer) reusable(t *trial) *before {
	if !anyEntry(t.entries, (*entry).due) {
		return nil
	}
	for i := range t.before {
		b := &t.before[i]
		age := d.cfg.Now().Round(0).Sub(b.ID.Time())
		if age < d.cfg.Window/2 && -age <= maxOthersAhead && t.singled(b) && !anyEntry(t.entries, func(e *entry) bool { return e.due() && !d.fits(b, e) }) {
			return b
		}
	}
	return nil
}

// fits reports whether the content of b is stored for the recipient of e, as durably as it has
// to be.
func (d *Deliverer) fits(b *before, e *entry) bool {
	return b.recipients[e.row.Mailbox] != nil && (!e.each() || !d.mail.Several || b.ContentReached == mail.ReachedEach)
}

// singled reports whether the content of b may get more rows, and no other attempt may have
// stored a copy.
func (t *trial) singled(b *before) bool {
	return t.whole(b) && !slices.ContainsFunc(t.before, func(other before) bool {
		return other.ID != b.ID && anyEntry(t.entries, other.unsure)
	})
}

// whole reports whether rows under the id of b may count: their content is stored, and no
// attempt knows that the id was spoiled.
func (t *trial) whole(b *before) bool {
	return !slices.ContainsFunc(t.before, func(other before) bool { return other.ID == b.ID && !other.ContentStored })
}

// unsure reports whether there may be a row for e.
func (b *before) unsure(e *entry) bool {
	r := b.recipients[e.row.Mailbox]
	return r != nil && r.Outcome == store.AttemptUnknown
}

// decide settles what became of rows whose outcome was unknown, before there is another one
// under a new id. A row that is there counts, if it is the first and its content is whole; any
// other will never be.
func (d *Deliverer) decide(ctx context.Context, t *trial) {
	for i := range t.before {
		b := &t.before[i]
		for k := range t.entries {
			if e := &t.entries[k]; e.err == nil && b.unsure(e) {
				if !e.had && t.whole(b) {
					d.lookFor(ctx, b, e)
				}
				if e.err == nil && b.unsure(e) {
					d.removeRow(ctx, b, e)
				}
			}
		}
	}
}

// lookFor finds out whether there is a row that counts: one that reaches as far as it has to,
// and its content too.
func (d *Deliverer) lookFor(ctx context.Context, b *before, e *entry) {
	reached, err := mail.ReachedLocal, error(nil)
	look := func(st store.Mail) error {
		_, err := st.Message(ctx, e.row.Mailbox, b.ID)
		return err
	}
	if e.each() && d.mail.Several {
		reached, err = mail.ReachedEach, look(d.mail.Each)
		if e.durability.OrLocal && store.Unreached(err) {
			reached, err = mail.ReachedFallback, look(d.mail.Local)
		}
	} else {
		err = look(d.mail.Local)
	}
	switch {
	case err == nil && (reached != mail.ReachedEach || b.ContentReached == reached):
		r := b.recipients[e.row.Mailbox]
		r.Outcome, r.Reached = store.AttemptStored, reached
		e.had, e.reached = true, reached
	case err != nil && !errors.Is(err, store.ErrNotFound):
		e.err = err
	}
}

// removeRow makes sure that there is no row.
func (d *Deliverer) removeRow(ctx context.Context, b *before, e *entry) {
	b.spoiled = true
	if e.err = d.remove(ctx, e, b.ID); e.err == nil {
		d.metrics.removed.Inc()
		b.recipients[e.row.Mailbox].Outcome = store.AttemptUnwritten
	}
}

// attempts is what there is to know about t if the sender repeats it: of what earlier trials
// left, and of its own. told says to which entries the sender has been told of a success.
func (t *trial) attempts(told func(e *entry) bool) []store.Attempt {
	list := make([]store.Attempt, 0, len(t.before)+1)
	for i := range t.before {
		b := &t.before[i]
		a := b.Attempt
		a.ContentStored = a.ContentStored && !b.spoiled && !(b == t.reused && t.spoiled)
		a.Recipients = slices.Clone(b.Recipients)
		for j := range a.Recipients {
			r := &a.Recipients[j]
			k, again := t.index[r.Mailbox]
			if !again {
				continue
			}
			e := &t.entries[k]
			if b == t.reused && e.tried {
				r.Outcome, r.Reached = e.attemptOutcome(), e.reached
			}
			r.Told = told(e)
		}
		list = append(list, a)
	}
	if t.reused != nil || t.id.IsZero() {
		return list
	}
	own := store.Attempt{
		Fingerprint: t.fingerprint, ID: t.id, Origin: t.origin,
		ContentStored: t.content.err == nil && !t.spoiled, ContentReached: t.content.reached, ContentSize: t.size,
	}
	for _, k := range t.shared {
		e := &t.entries[k]
		own.Recipients = append(own.Recipients, store.AttemptRecipient{
			Mailbox: e.row.Mailbox, Recipient: e.row.Message.Recipient,
			Outcome: e.attemptOutcome(), Reached: e.reached, Told: told(e),
		})
	}
	return append(list, own)
}

// attemptOutcome is what is known about the row that was to be written.
func (e *entry) attemptOutcome() store.AttemptOutcome {
	switch {
	case e.err == nil:
		return store.AttemptStored
	case e.unsure:
		return store.AttemptUnknown
	}
	return store.AttemptUnwritten
}
