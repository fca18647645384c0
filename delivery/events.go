package delivery

import (
	"errors"

	"popelago/event"
	"popelago/ledger"
	"popelago/mail"
	"popelago/quota"
)

// about returns the part of an event that all recipients of a message share.
func (in *Incoming) about() event.Event {
	e := aboutEnvelope(in.envelope)
	e.HeaderID = in.headerID.text()
	return e
}

// aboutEnvelope returns the part of an event that the envelope decides.
func aboutEnvelope(e mail.Envelope) event.Event {
	r := e.Received
	return event.Event{Sender: e.ReversePath, Remote: r.Remote, Protocol: r.With, Session: r.ID}
}

// listening reports whether events of the message are reported.
func (in *Incoming) listening() bool { return in.d.cfg.Events != nil && !in.trial }

// reportRefused reports a complete text that was refused for all recipients. Equal recipients have one event, as after a
// delivery: a stranger may name a recipient a thousand times.
func (in *Incoming) reportRefused(err error) {
	if !in.listening() {
		return
	}
	e := in.about()
	_, _, firstOf := in.rows()
	for _, i := range firstOf {
		r := in.envelope.Recipients[i]
		e.Mailbox, e.Address, e.Recipient = r.Mailbox, accountOf(r), recipientOf(r)
		in.refuse(e, err)
	}
}

// refuse reports a refusal for the recipient in e.
func (in *Incoming) refuse(e event.Event, err error) {
	e.Kind, e.Size, e.Cause = event.Refused, in.size, mail.LogText(err.Error())
	if errors.Is(err, quota.ErrOver) {
		e.Kind = event.OverQuota
	}
	in.d.cfg.Events.Happened(e)
}

// reportRows reports the rows of a delivery: the written rows, and the rows that the sender learns to be
// refused. A row that an earlier delivery wrote was reported by it.
func (in *Incoming) reportRows(out *ledger.Outcome, rowOf []int) {
	if !in.listening() {
		return
	}
	about := in.about()
	reported := 0
	for i, k := range rowOf {
		if k < reported {
			continue // a further recipient of a row
		}
		reported = k + 1
		row := &out.Plan.Rows[k]
		if row.Err == nil && row.State != ledger.Stored {
			continue
		}
		r, e := in.envelope.Recipients[i], about
		e.Mailbox, e.Address, e.Recipient = r.Mailbox, accountOf(r), recipientOf(r)
		if row.Err != nil {
			in.refuse(e, row.Err)
			continue
		}
		e.Kind, e.Message, e.Size, e.Reached = event.Accepted, row.Message.ID, row.Message.Size, row.Reached
		in.d.cfg.Events.Happened(e)
	}
}

// accountOf returns the address of the account behind a recipient.
func accountOf(r mail.Recipient) string {
	if r.Account.IsZero() {
		return r.Address.Canonical().String()
	}
	return r.Account.String()
}

// recipientOf returns the address that RCPT named, if it differs from the account's.
func recipientOf(r mail.Recipient) string {
	if named := r.Named(); named.Canonical() != r.Account {
		return named.String()
	}
	return ""
}
