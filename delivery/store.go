package delivery

import (
	"context"
	"errors"
	"fmt"

	"popelago/ledger"
	"popelago/mail"
	"popelago/store"
)

// rows lists the rows to be written, one for each mailbox, and for each recipient the index of its
// row. The first of several recipients with one mailbox gives its address.
func (in *Incoming) rows() (rows []ledger.Row, rowOf []int) {
	recipients := in.envelope.Recipients
	rows = make([]ledger.Row, 0, len(recipients))
	rowOf = make([]int, len(recipients))
	index := make(map[mail.MailboxID]int, len(recipients))
	for i, r := range recipients {
		k, twice := index[r.Mailbox]
		if !twice {
			k = len(rows)
			index[r.Mailbox] = k
			rows = append(rows, ledger.Row{
				Entry:      store.Entry{Mailbox: r.Mailbox, Message: mail.Message{Recipient: r.Address.PathString()}, Bulk: r.Bulk},
				Durability: r.Durability,
			})
		}
		rowOf[i] = k
	}
	return rows, rowOf
}

// store stores the message in the mailboxes of its recipients, except where an earlier delivery has
// done so. The outcome is nil if the ledger cannot tell whether the delivery repeats an earlier one.
func (in *Incoming) store(ctx context.Context, res *Result) *ledger.Outcome {
	d := in.d
	rows, rowOf := in.rows()
	d.refuseEnded(rows)
	plan, err := d.ledger.Recall(ctx, in.fingerprint.Sum(), rows)
	if err != nil {
		res.all(fmt.Errorf("delivery: look for an earlier delivery of the message: %w", err))
		return nil
	}
	out := &ledger.Outcome{Plan: plan, SingleReply: in.envelope.SingleReply}
	c := newCommands(in.envelope, out, rowOf)
	places := in.reserve(ctx, &out.Plan, c, rowOf)
	defer places.done(out.Plan.Rows)
	if due := dueRows(out.Plan); len(due) > 0 {
		in.writeDue(ctx, out, due)
	}
	d.checkOrigin(out)
	d.removeEnded(ctx, out)
	refuseForAll(out, c)
	res.report(out, c)
	return out
}

// dueRows returns the rows that a plan has to have written.
func dueRows(plan ledger.Plan) []*ledger.Row {
	due := make([]*ledger.Row, len(plan.Due))
	for i, k := range plan.Due {
		due[i] = &plan.Rows[k]
	}
	return due
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
// or else behind new content under a new id.
func (in *Incoming) writeDue(ctx context.Context, out *ledger.Outcome, due []*ledger.Row) {
	d, plan := in.d, out.Plan
	if !plan.ID.IsZero() {
		out.ID, out.ContentStored, out.ContentReached, out.ContentSize = plan.ID, true, plan.ContentReached, plan.ContentSize
		in.name(out, due)
		d.addInTime(ctx, out, due, ages{oldest: plan.MaxAge + d.cfg.maxIDAge(), ahead: ledger.MaxAhead})
		return
	}
	id, err := store.NextID(ctx, d.mail.Local, d.cfg.IDs)
	if err != nil {
		fail(due, err)
		return
	}
	out.ID, out.ContentSize = id, in.content.Size()
	in.name(out, due)
	if due = in.putContent(ctx, out, due); len(due) > 0 {
		d.addInTime(ctx, out, due, ages{oldest: d.cfg.maxIDAge(), ahead: mail.MaxIDAhead})
	}
}

// name gives each row its message: the id, and the size that RETR will send.
func (in *Incoming) name(out *ledger.Outcome, rows []*ledger.Row) {
	for _, r := range rows {
		header := mail.DeliveryHeader(in.envelope.ReversePath, r.Message.Recipient)
		r.Message = mail.Message{ID: out.ID, Size: int64(len(header)) + out.ContentSize, Recipient: r.Message.Recipient}
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
	out.ContentStored = out.ContentStored && out.ContentReached == mail.ReachedEach
	for i := range out.Plan.Rows {
		if r := &out.Plan.Rows[i]; r.Err == nil && r.Reached != mail.ReachedEach {
			r.State = ledger.Unknown
			r.Err = fmt.Errorf("%w: statements failed over from datacenter %q to %q during the delivery", store.ErrOutcomeUnknown, before, now)
		}
	}
}

// unknown reports whether a write may have been done although it failed.
func unknown(err error) bool { return errors.Is(err, store.ErrOutcomeUnknown) }
