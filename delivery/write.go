package delivery

import (
	"context"
	"fmt"
	"slices"

	"popelago/ledger"
	"popelago/mail"
	"popelago/span"
	"popelago/store"
)

// putContent stores the content as durably as the most demanding recipient requires, and returns
// the rows that have to be written behind it. If a datacenter cannot be reached, the recipients
// that require every datacenter get the error, and the content is stored locally for the others.
func (in *Incoming) putContent(ctx context.Context, part *ledger.Part, due []*ledger.Row) []*ledger.Row {
	st := in.d.mail
	ctx, work := span.Start(ctx, "store content")
	defer func() { work.End(nil) }()
	info := store.ContentInfo{ReversePath: in.envelope.ReversePath}
	for _, r := range due {
		info.Mailboxes = append(info.Mailboxes, r.Mailbox)
	}
	if st.Several && slices.ContainsFunc(due, func(r *ledger.Row) bool { return r.Durability.Each() }) {
		err := st.Each.PutContent(ctx, part.ID, in.content, info)
		if err == nil {
			part.ContentStored, part.ContentReached = true, mail.ReachedEach
			return due
		}
		if due = failDemanding(due, err); len(due) == 0 {
			return nil
		}
	}
	if err := st.Local.PutContent(ctx, part.ID, in.content, info); err != nil {
		fail(due, err)
		return nil
	}
	part.ContentStored, part.ContentReached = true, mail.ReachedLocal
	return due
}

// failDemanding gives the error of a write to every datacenter to the rows that require every
// datacenter, and returns the other rows.
func failDemanding(due []*ledger.Row, err error) (local []*ledger.Row) {
	for _, r := range due {
		if r.Durability.Each() && !(r.Durability.OrLocal() && store.Unreached(err)) {
			fail([]*ledger.Row{r}, err)
		} else {
			local = append(local, r)
		}
	}
	return local
}

// addRows writes rows: those that require every datacenter there, if the content is there too, and
// the others locally.
func (d *Deliverer) addRows(ctx context.Context, part *ledger.Part, due []*ledger.Row) {
	var each, local []*ledger.Row
	for _, r := range due {
		if r.Durability.Each() && part.ContentReached == mail.ReachedEach {
			each = append(each, r)
		} else {
			local = append(local, r)
		}
	}
	add(ctx, d.mail.Each, each)
	for _, r := range each {
		if r.Err == nil {
			r.Reached = mail.ReachedEach
		} else if r.Durability.OrLocal() && store.Unreached(r.Err) {
			local = append(local, r)
		}
	}
	add(ctx, d.mail.Local, local)
	for _, r := range local {
		r.Reached = mail.ReachedLocal
		if r.Durability.Each() && d.mail.Several {
			r.Reached = mail.ReachedFallback
		}
	}
}

// add writes rows and notes the state of each.
func add(ctx context.Context, st store.Mail, rows []*ledger.Row) {
	if len(rows) == 0 {
		return
	}
	ctx, all := span.Start(ctx, "store entries")
	defer func() { all.End(nil) }()
	entries := make([]store.Entry, len(rows))
	work := make([]span.Span, len(rows))
	for i, r := range rows {
		entries[i] = r.Entry
		_, work[i] = span.Start(ctx, "recipient")
		if span.Built {
			work[i].Text("mailbox", r.Mailbox.String())
			work[i].Text("message", r.Message.ID.String())
		}
	}
	for i, err := range st.AddMessages(ctx, entries) {
		noteWrite(rows[i], err)
		work[i].End(err)
	}
}

// noteWrite notes the result of a write. After an earlier write of unknown outcome the state stays
// Unknown even if this write surely failed; the sender gets that outcome if both writes belong to
// this delivery.
func noteWrite(r *ledger.Row, err error) {
	switch {
	case err == nil:
		r.State = ledger.Stored
	case unknown(err):
		r.State = ledger.Unknown
	case r.State == ledger.Unknown && unknown(r.Err):
		err = fmt.Errorf("%w: %v", store.ErrOutcomeUnknown, err)
	case r.State == ledger.Unknown:
	default:
		r.State = ledger.Failed
	}
	r.Err = err
}
