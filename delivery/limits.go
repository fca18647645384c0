package delivery

import (
	"context"
	"errors"

	"popelago/ledger"
	"popelago/mail"
	"popelago/quota"
)

// Admit reports whether a message may be accepted for the recipients of a RCPT command. size counts the octets
// of the message as its sender declared them; zero: the size is unknown. A command is refused if the limits of
// all recipients refuse the message, see reserve; a temporary refusal then counts before a permanent one.
//
// Errors: ErrTooLarge, quota.ErrOver, quota.ErrRefused; those of the store.
func (d *Deliverer) Admit(ctx context.Context, recipients []mail.Recipient, size int64) error {
	_, err := d.admitAll(ctx, nil, recipients, size)
	return err
}

// AdmitBeside is Admit in a transaction with recipients accepted before: a mailbox gets a copy for each address
// that RCPT named. A refusal because of a quota is reported as an event, once for a mailbox in overQuotaEvery.
func (d *Deliverer) AdmitBeside(ctx context.Context, e mail.Envelope, recipients []mail.Recipient, size int64) error {
	over, err := d.admitAll(ctx, e.Recipients, recipients, size)
	if errors.Is(err, quota.ErrOver) {
		d.reportOver(e, over, size, err)
	}
	return err
}

// admitAll judges the recipients of a RCPT command. over lists the recipients over quota behind a refusal.
func (d *Deliverer) admitAll(ctx context.Context, accepted, recipients []mail.Recipient, size int64) (over []mail.Recipient, refusal error) {
	for _, r := range recipients {
		err := d.admit(ctx, accepted, r, size)
		switch {
		case err == nil:
			return nil, nil
		case !limited(err):
			return nil, err
		case gravity(err) > gravity(refusal):
			refusal = err
		}
		if errors.Is(err, quota.ErrOver) {
			over = append(over, r)
		}
	}
	return over, refusal
}

func (d *Deliverer) admit(ctx context.Context, accepted []mail.Recipient, r mail.Recipient, size int64) error {
	if r.Limits.Size > 0 && size > r.Limits.Size {
		return ErrTooLarge
	}
	err := d.quota.Admit(ctx, r, size)
	if err != nil || size <= 0 {
		return err
	}
	if n := copies(accepted, r); n > 1 {
		if err = d.quota.Admit(ctx, r, n*size); errors.Is(err, quota.ErrRefused) {
			err = quota.ErrOver // the copies may never come
		}
	}
	return err
}

// copies returns the number of copies that the mailbox of r gets beside accepted recipients.
func copies(accepted []mail.Recipient, r mail.Recipient) int64 {
	if !r.Limits.Quota() {
		return 1
	}
	names := map[mail.Address]bool{r.Named().Canonical(): true}
	for _, a := range accepted {
		if a.Mailbox == r.Mailbox {
			names[a.Named().Canonical()] = true
		}
	}
	return int64(len(names))
}

// limited reports whether an error is the refusal by a limit of an account.
func limited(err error) bool { return errors.Is(err, quota.ErrOver) || errors.Is(err, ErrTooLarge) }

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
// A limit yields where one reply also stands for a recipient that has or gets the message: the other members
// of a group, or all recipients of a transaction with a single reply. Otherwise the sender would return or
// repeat a message that was delivered, and one full maildrop would stop the mail of a group. The quota of a
// mailbox yields to a single copy: otherwise a sender could fill the mailbox by naming many addresses that lead
// to it. Such further copies are refused temporarily. The copies of members of groups yield without this limit.
func (in *Incoming) reserve(ctx context.Context, plan *ledger.Plan, c *commands, rowOf []int) places {
	claims := make(places, len(plan.Rows))
	over := map[int]bool{}
	for i, r := range in.envelope.Recipients {
		k := rowOf[i]
		row := &plan.Rows[k]
		if claims[k] != nil || row.Err != nil || row.State != ledger.Pending {
			continue
		}
		claim, err := in.place(ctx, r)
		claims[k] = claim
		if err == nil {
			continue
		}
		row.State, row.Err = ledger.Failed, err
		over[k] = limited(err)
	}
	c.yield(over)
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
	header := addresses(r).Header(in.envelope.ReversePath)
	return in.d.quota.Reserve(ctx, r, int64(len(header))+in.content.Size())
}

// done ends the claims. A row of unknown outcome counts as stored.
func (p places) done(rows []ledger.Row) {
	for i, claim := range p {
		claim.Done(rows[i].State == ledger.Stored || rows[i].State == ledger.Unknown)
	}
}
