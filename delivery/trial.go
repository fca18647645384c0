package delivery

import (
	"context"
	"errors"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// trial is one message on its way into the mailboxes, for the first time or again.
type trial struct {
	fingerprint [32]byte
	entries     []entry
	index       map[mail.MailboxID]int // of the entry of a mailbox

	origin  string         // the datacenter that answered when it began
	id      mail.MessageID // zero: nothing was written
	before  []before       // what earlier trials left
	reused  *before        // the one that id is of; nil: id is new
	content outcome
	size    int64 // of the content
	shared  []int // the entries that share the content under a new id
	spoiled bool  // rows were removed again: nothing more may be written under id

	told  bool    // the sender was, or will be, told of the success there was
	nodes []*node // in the ledger
}

// entry is a row to be written, and what became of it.
type entry struct {
	row        store.Entry
	durability mail.Durability
	outcome
	had    bool // an earlier trial stored it
	tried  bool // it was written, or at least sent to be
	unsure bool // it may be there although err says that it failed
}

// outcome is what became of something written.
type outcome struct {
	err     error
	reached mail.Reached
}

// each reports whether every datacenter has to have the row.
func (e *entry) each() bool { return e.durability.Each }

// fail gives up the rows that are still due.
func (t *trial) fail(err error) {
	for i := range t.entries {
		if e := &t.entries[i]; e.due() {
			e.err = err
		}
	}
}

// due reports whether the row still has to be written.
func (e *entry) due() bool { return e.err == nil && !e.had && !e.tried }

// trial lists the rows to be written, one for each mailbox, and for each recipient the index
// of its row. The first of several recipients with one mailbox gives its address.
func (in *Incoming) trial() (t *trial, entryOf []int) {
	recipients := in.envelope.Recipients
	t = &trial{
		fingerprint: in.fingerprint.sum(),
		entries:     make([]entry, 0, len(recipients)),
		index:       make(map[mail.MailboxID]int, len(recipients)),
	}
	entryOf = make([]int, len(recipients))
	for i, r := range recipients {
		k, twice := t.index[r.Mailbox]
		if !twice {
			k = len(t.entries)
			t.index[r.Mailbox] = k
			t.entries = append(t.entries, entry{
				row:        store.Entry{Mailbox: r.Mailbox, Message: mail.Message{Recipient: r.Address.PathString()}, Bulk: r.Bulk},
				durability: r.Durability,
			})
		}
		entryOf[i] = k
	}
	return t, entryOf
}

// store brings the message into the mailboxes of its recipients, as far as earlier trials have
// not done so.
func (in *Incoming) store(ctx context.Context, res *Result) {
	d := in.d
	t, entryOf := in.trial()
	t.origin = d.mail.Local.Origin()
	res.trial = t
	taken, err := d.takeAttempts(ctx, t)
	if err != nil {
		res.all(fmt.Errorf("delivery: look at what was stored before: %w", err))
		return
	}
	t.use(taken)
	d.refuseEnded(ctx, t)
	res.Repeated = len(t.before) > 0
	if t.reused = d.reusable(t); t.reused != nil {
		in.writeUnder(ctx, t, t.reused)
	} else {
		d.decide(ctx, t)
		if anyEntry(t.entries, (*entry).due) {
			in.writeNew(ctx, t)
		}
	}
	d.checkOrigin(t)
	d.refuseEnded(ctx, t)
	t.endedAmong(in.envelope.SingleReply)
	for _, e := range t.entries {
		if e.had {
			d.metrics.skipped.Inc()
		}
	}
	res.ID = t.id
	if t.id.IsZero() && len(t.before) > 0 {
		res.ID = t.before[0].ID
	}
	for i, k := range entryOf {
		res.Reached[i] = t.entries[k].reached
		if err := t.entries[k].err; err != nil {
			res.Errors[i] = fmt.Errorf("delivery: store message %s: %w", res.ID, err)
		}
	}
}

// writeNew writes content, then index, under a new id.
func (in *Incoming) writeNew(ctx context.Context, t *trial) {
	d := in.d
	id, err := store.NextID(ctx, d.mail.Local, d.cfg.IDs)
	if err != nil {
		t.fail(err)
		return
	}
	t.id, t.size = id, in.content.Size()
	for i := range t.entries {
		if e := &t.entries[i]; e.due() {
			e.row.Message = in.row(t.id, e.row.Message.Recipient, t.size)
		}
	}
	t.content = in.putContent(ctx, t)
	d.addInTime(ctx, t, ages{oldest: d.cfg.maxIDAge(), ahead: mail.MaxIDAhead})
}

// writeUnder writes the rows that are missing under the id of an earlier trial. Those that may
// be there already are written exactly as they were.
func (in *Incoming) writeUnder(ctx context.Context, t *trial, b *before) {
	d := in.d
	d.metrics.reused.Inc()
	t.id, t.size, t.content.reached = b.ID, b.ContentSize, b.ContentReached
	for i := range t.entries {
		if e := &t.entries[i]; e.due() {
			e.row.Message = in.row(t.id, b.recipients[e.row.Mailbox].Recipient, t.size)
		}
	}
	d.addInTime(ctx, t, ages{oldest: d.cfg.Window/2 + d.cfg.maxIDAge(), ahead: maxOthersAhead})
}

// row is what makes the message visible in one mailbox.
func (in *Incoming) row(id mail.MessageID, recipient string, content int64) mail.Message {
	header := mail.DeliveryHeader(in.envelope.ReversePath, recipient)
	return mail.Message{ID: id, Size: int64(len(header)) + content, Recipient: recipient}
}

// checkOrigin makes a failure of what did not reach every datacenter if another one answers now
// than when t began: a row may be in the one and its content, or an earlier row, in the other.
func (d *Deliverer) checkOrigin(t *trial) {
	now := d.mail.Local.Origin()
	if now == t.origin {
		return
	}
	t.spoiled = t.spoiled || t.content.reached != mail.ReachedEach
	for i := range t.entries {
		if e := &t.entries[i]; e.err == nil && e.reached != mail.ReachedEach {
			e.err = fmt.Errorf("%w: the datacenter %q took over from %q meanwhile", store.ErrOutcomeUnknown, now, t.origin)
			e.unsure = true
		}
	}
}

// remove takes a row away for good, as durably as it would have been written.
func (d *Deliverer) remove(ctx context.Context, e *entry, id mail.MessageID) error {
	_, err := d.mail.Durably(e.durability, func(st store.Mail) error {
		return st.RemoveMessages(ctx, e.row.Mailbox, []mail.MessageID{id})
	})
	return err
}

// unknown reports whether a write may have been done although it failed.
func unknown(err error) bool { return errors.Is(err, store.ErrOutcomeUnknown) }
