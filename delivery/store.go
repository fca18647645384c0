package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"popelago/ledger"
	"popelago/mail"
	"popelago/store"
)

// rowName names a row: the copy of a mailbox for one address that RCPT named.
type rowName struct {
	mailbox mail.MailboxID
	named   mail.Address // canonical
}

// nameOf returns the name of the row of a recipient.
func nameOf(r mail.Recipient) rowName { return rowName{r.Mailbox, r.Named().Canonical()} }

// rows lists the rows to be written, one for each mailbox and address that RCPT named, and for each recipient
// the index of its row. The first of several equal recipients gives its address and its account: firstOf holds its index
// for each row.
func (in *Incoming) rows() (rows []ledger.Row, rowOf, firstOf []int) {
	recipients := in.envelope.Recipients
	rows = make([]ledger.Row, 0, len(recipients))
	rowOf = make([]int, len(recipients))
	index := make(map[rowName]int, len(recipients))
	for i, r := range recipients {
		name := nameOf(r)
		k, twice := index[name]
		if !twice {
			k = len(rows)
			index[name] = k
			firstOf = append(firstOf, i)
			rows = append(rows, ledger.Row{
				Entry:      store.Entry{Mailbox: r.Mailbox, Message: addresses(r), Bulk: r.Bulk},
				Durability: r.Durability,
			})
		}
		rowOf[i] = k
	}
	return rows, rowOf, firstOf
}

// addresses returns the message of a recipient with its addresses alone.
func addresses(r mail.Recipient) mail.Message {
	m := mail.Message{Recipient: r.Address.PathString()}
	if !r.Original.IsZero() {
		m.Original = r.Original.PathString()
	}
	return m
}

// store stores the message in the mailboxes of its recipients, except where an earlier delivery has
// done so. The outcome is nil if the ledger cannot tell whether the delivery repeats an earlier one.
func (in *Incoming) store(ctx context.Context, res *Result) *ledger.Outcome {
	defer in.free() // also after a panic
	d := in.d
	rows, rowOf, firstOf := in.rows()
	in.refuseEnded(ctx, rows, firstOf)
	plan, err := d.ledger.Recall(ctx, in.fingerprint.Sum(), rows)
	if err != nil {
		in.reportRefused(err)
		res.all(fmt.Errorf("delivery: look for an earlier delivery of the message: %w", err))
		return nil
	}
	out := &ledger.Outcome{Plan: plan, SingleReply: in.envelope.SingleReply}
	c := newCommands(in.envelope, out, rowOf)
	places := in.reserve(ctx, &out.Plan, c, rowOf)
	defer places.done(out.Plan.Rows)
	if len(out.Plan.Due) > 0 {
		in.writeDue(ctx, out)
	}
	d.checkOrigin(out)
	in.removeEnded(ctx, out, firstOf)
	refuseForAll(out, c)
	res.report(out, c)
	in.reportRows(out, rowOf)
	return out
}

// report enters the outcome for each RCPT command.
func (r *Result) report(out *ledger.Outcome, c *commands) {
	r.Repeated = out.Plan.Repeated()
	if r.ID = out.ID; r.ID.IsZero() {
		r.ID = out.Plan.Earlier
	}
	out.Repeats = make([]bool, len(out.Plan.Rows))
	for i, rows := range c.rows {
		err := c.err(i)
		if err != nil {
			r.Errors[i] = fmt.Errorf("delivery: store message %s: %w", r.ID, err)
		}
		r.Reached[i] = mail.ReachedEach
		for _, k := range rows {
			out.Repeats[k] = out.Repeats[k] || err != nil
			if row := &out.Plan.Rows[k]; row.Err == nil {
				r.Reached[i] = r.Reached[i].Least(row.Reached)
			}
		}
	}
}

// writeDue writes the rows that are due: under the id of an earlier delivery if the plan has one,
// or else behind new content under a new id. A mailbox with several rows gets the further rows under new ids
// of their own, behind contents of their own.
func (in *Incoming) writeDue(ctx context.Context, out *ledger.Outcome) {
	d, plan := in.d, out.Plan
	if !plan.ID.IsZero() {
		due := rowsOf(plan, plan.Due)
		out.ID, out.ContentStored, out.ContentReached, out.ContentSize = plan.ID, true, plan.ContentReached, plan.ContentSize
		in.name(&out.Part, due)
		d.addInTime(ctx, &out.Part, due, ages{oldest: plan.MaxAge + d.cfg.maxIDAge(), ahead: ledger.MaxAhead})
		return
	}
	for i, layer := range layers(plan) {
		part := &out.Part
		if i > 0 {
			part = &ledger.Part{}
			out.Further = append(out.Further, part)
		}
		part.Due = layer
		due := rowsOf(plan, layer)
		if i > 0 {
			if err := in.copyContent(ctx, out); err != nil {
				fail(due, err)
				continue
			}
		}
		in.writeNew(ctx, part, due)
	}
}

// writeNew writes rows behind the content, under a new id.
func (in *Incoming) writeNew(ctx context.Context, part *ledger.Part, due []*ledger.Row) {
	d := in.d
	id, err := store.NextID(ctx, d.mail.Local, d.cfg.IDs)
	if err != nil {
		fail(due, err)
		return
	}
	part.ID, part.ContentSize = id, in.content.Size()
	in.name(part, due)
	stored := in.putContent(ctx, part, due)
	unsure := len(stored) == 0 && slices.ContainsFunc(due, func(r *ledger.Row) bool { return unknown(r.Err) })
	if len(stored) > 0 {
		d.addInTime(ctx, part, stored, ages{oldest: d.cfg.maxIDAge(), ahead: mail.MaxIDAhead})
	}
	if part.ContentStored || unsure {
		d.dropUnneeded(ctx, part, due)
	}
}

// dropTimeout limits the time for dropping a content: the sender waits.
const dropTimeout = 2 * time.Second

// dropUnneeded removes the content of a part if surely none of its rows was written: the sender will send the message
// again, under another id. Otherwise each attempt during a fault would leave a content, and so many contents without a
// row look like lost rows. A failure is no loss: background work removes the content later.
func (d *Deliverer) dropUnneeded(ctx context.Context, part *ledger.Part, due []*ledger.Row) {
	if slices.ContainsFunc(due, func(r *ledger.Row) bool { return r.State != ledger.Failed }) {
		return
	}
	part.ContentStored = false
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTimeout)
	defer cancel()
	if err := d.mail.Local.DropContent(ctx, part.ID, part.ContentSize); err != nil {
		d.cfg.Logger.Debug("a content that no maildrop needs was left to background work", "message", part.ID.String(), "cause", err)
	}
}

// layers divides the due rows of a plan so that no layer has two rows of a mailbox.
func layers(p ledger.Plan) (layers [][]int) {
	count := make(map[mail.MailboxID]int, len(p.Due))
	for _, k := range p.Due {
		n := count[p.Rows[k].Mailbox]
		count[p.Rows[k].Mailbox]++
		if n == len(layers) {
			layers = append(layers, nil)
		}
		layers[n] = append(layers[n], k)
	}
	return layers
}

// rowsOf returns the rows of a plan with some indices.
func rowsOf(p ledger.Plan, indices []int) []*ledger.Row {
	rows := make([]*ledger.Row, len(indices))
	for i, k := range indices {
		rows[i] = &p.Rows[k]
	}
	return rows
}

// copyContent makes a new content with the octets of the stored content: the first PutContent has used up
// in.content.
func (in *Incoming) copyContent(ctx context.Context, out *ledger.Outcome) error {
	if !out.ContentStored {
		return fmt.Errorf("%w: the first copy of the message is not stored", store.ErrUnavailable)
	}
	_, stored, err := in.d.mail.Local.OpenContent(ctx, out.ID, out.Plan.Origin)
	if errors.Is(err, store.ErrNotFound) {
		err = fmt.Errorf("%w: the first copy of the message cannot be read", store.ErrUnavailable)
	}
	if err != nil {
		return err
	}
	defer stored.Close()
	content, err := in.d.mail.Local.NewContent(ctx)
	if err != nil {
		return err
	}
	if n, err := io.Copy(content, stored); err != nil || n != out.ContentSize {
		content.Discard()
		return errors.Join(fmt.Errorf("%w: %d octets of %d were copied", store.ErrUnavailable, n, out.ContentSize), err)
	}
	in.content.Discard() // the copy before may have got no id
	in.content = content
	return nil
}

// name gives each row its message: the id, and the size that RETR will send.
func (in *Incoming) name(part *ledger.Part, rows []*ledger.Row) {
	for _, r := range rows {
		m := mail.Message{ID: part.ID, Recipient: r.Message.Recipient, Original: r.Message.Original}
		m.Size = int64(len(m.Header(in.envelope.ReversePath))) + part.ContentSize
		r.Message = m
	}
}

// fail gives rows up before they are written. A row that an earlier delivery may have written stays
// unknown.
func fail(rows []*ledger.Row, err error) {
	for _, r := range rows {
		if r.Err = err; r.State == ledger.Pending {
			r.State = ledger.Failed
		}
	}
}

// checkOrigin makes the outcome unknown if another datacenter answers now than at the beginning,
// except for rows that reached every datacenter: one datacenter may have the row and the other its
// content, or an earlier row.
func (d *Deliverer) checkOrigin(out *ledger.Outcome) {
	before, now := out.Plan.Origin, d.mail.Local.Origin()
	if now == before {
		return
	}
	for _, part := range parts(out) {
		part.ContentStored = part.ContentStored && part.ContentReached == mail.ReachedEach
	}
	for i := range out.Plan.Rows {
		if r := &out.Plan.Rows[i]; r.Err == nil && r.Reached != mail.ReachedEach {
			r.State = ledger.Unknown
			r.Err = fmt.Errorf("%w: statements failed over from datacenter %q to %q during the delivery", store.ErrOutcomeUnknown, before, now)
		}
	}
}

// parts returns all parts of a delivery.
func parts(out *ledger.Outcome) []*ledger.Part {
	return append([]*ledger.Part{&out.Part}, out.Further...)
}

// unknown reports whether a write may have been done although it failed.
func unknown(err error) bool { return errors.Is(err, store.ErrOutcomeUnknown) }
