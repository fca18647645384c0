package delivery

import (
	"context"
	"errors"

	"popelago/ledger"
	"popelago/mail"
	"popelago/quota"
)

// Admit reports whether a message may be accepted for a recipient. size counts the octets of the message as
// its sender declared them; zero: the size is unknown. Errors: ErrTooLarge, quota.ErrOver,
// quota.ErrRefused; those of the store.
func (d *Deliverer) Admit(ctx context.Context, r mail.Recipient, size int64) error {
	if r.Limits.Size > 0 && size > r.Limits.Size {
		return ErrTooLarge
	}
	return d.quota.Admit(ctx, r, size)
}

// maxSize returns the size of the largest text that one of the recipients accepts.
func (d *Deliverer) maxSize(e mail.Envelope) int64 {
	var largest int64
	for _, r := range e.Recipients {
		if r.Limits.Size <= 0 {
			return d.cfg.MaxMessageSize
		}
		largest = max(largest, r.Limits.Size)
	}
	return min(largest, d.cfg.MaxMessageSize)
}

// places are the claims of the rows of a plan, by index; nil for a row that needs none.
type places []*quota.Claim

// reserve takes a place in its mailbox for each due row of a plan. A row that exceeds a limit of its account
// gets the error, and is due no more. A row that an earlier delivery may have written needs no place.
//
// Where one reply is for all recipients, a limit yields if a recipient has or gets the message: otherwise the
// sender would return or repeat the message for all.
func (in *Incoming) reserve(ctx context.Context, plan *ledger.Plan, rowOf []int) places {
	claims := make(places, len(plan.Rows))
	var over []*ledger.Row
	for i, r := range in.envelope.Recipients {
		row := &plan.Rows[rowOf[i]]
		if claims[rowOf[i]] != nil || row.Err != nil || row.State != ledger.Pending {
			continue
		}
		claim, err := in.place(ctx, r)
		claims[rowOf[i]] = claim
		if err == nil {
			continue
		}
		row.State, row.Err = ledger.Failed, err
		if errors.Is(err, quota.ErrOver) || errors.Is(err, ErrTooLarge) {
			over = append(over, row)
		}
	}
	if len(over) > 0 && in.envelope.SingleReply && hasTaker(plan.Rows) {
		for _, row := range over {
			row.State, row.Err = ledger.Pending, nil
		}
	}
	due := plan.Due[:0]
	for _, k := range plan.Due {
		if plan.Rows[k].Err == nil {
			due = append(due, k)
		}
	}
	plan.Due = due
	return claims
}

// place takes a place for the message in the mailbox of r.
func (in *Incoming) place(ctx context.Context, r mail.Recipient) (*quota.Claim, error) {
	if r.Limits.Size > 0 && in.size > r.Limits.Size {
		return nil, ErrTooLarge
	}
	if !r.Limits.Quota() {
		return nil, nil
	}
	header := mail.DeliveryHeader(in.envelope.ReversePath, r.Address.PathString())
	return in.d.quota.Reserve(ctx, r, int64(len(header))+in.content.Size())
}

// hasTaker reports whether a recipient has the message or may still get it.
func hasTaker(rows []ledger.Row) bool {
	for _, r := range rows {
		if r.Err == nil {
			return true
		}
	}
	return false
}

// done ends the claims. A row of unknown outcome counts as stored.
func (p places) done(rows []ledger.Row) {
	for i, claim := range p {
		claim.Done(rows[i].State == ledger.Stored || rows[i].State == ledger.Unknown)
	}
}
