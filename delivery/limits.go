package delivery

import (
	"context"
	"errors"
	"fmt"

	"popelago/ledger"
	"popelago/mail"
	"popelago/quota"
)

// Accepted holds the recipients that a transaction has accepted, for AdmitBeside. The zero value holds none. Not safe for
// concurrent use.
type Accepted struct {
	names  map[rowName]bool
	copies map[mail.MailboxID]int
}

// Add adds the recipients of an accepted RCPT command.
func (a *Accepted) Add(recipients []mail.Recipient) {
	if a.names == nil {
		a.names, a.copies = map[rowName]bool{}, map[mail.MailboxID]int{}
	}
	for _, r := range recipients {
		if name := nameOf(r); !a.names[name] {
			a.names[name] = true
			a.copies[r.Mailbox]++
		}
	}
}

// with returns the number of copies that the mailbox of r gets beside the accepted recipients.
func (a *Accepted) with(r mail.Recipient) int {
	if a.names[nameOf(r)] {
		return a.copies[r.Mailbox]
	}
	return a.copies[r.Mailbox] + 1
}

// Admit reports whether a message may be accepted for the recipients of a RCPT command. size counts the octets
// of the message as its sender declared them; zero: the size is unknown. A command is refused if the limits of
// all recipients refuse the message, see reserve; a temporary refusal then counts before a permanent one.
//
// Errors: ErrTooLarge, quota.ErrOver, quota.ErrRefused; those of the store.
func (d *Deliverer) Admit(ctx context.Context, recipients []mail.Recipient, size int64) error {
	_, err := d.admitAll(ctx, &Accepted{}, recipients, size)
	return err
}

// AdmitBeside is Admit in the transaction of an envelope, with recipients accepted before: a mailbox gets a copy for each
// address that RCPT named. A refusal because of a quota is reported as an event, once for a mailbox in overQuotaEvery.
//
// Errors: those of Admit, ErrTooManyCopies.
func (d *Deliverer) AdmitBeside(ctx context.Context, e mail.Envelope, accepted *Accepted, recipients []mail.Recipient, size int64) error {
	for _, r := range recipients {
		if n := accepted.with(r); n > d.cfg.MaxCopies {
			return fmt.Errorf("%w: %d for %s", ErrTooManyCopies, n, mail.LogText(r.Account.String()))
		}
	}
	over, err := d.admitAll(ctx, accepted, recipients, size)
	if errors.Is(err, quota.ErrOver) {
		d.reportOver(e, over, size, err)
	}
	return err
}

// errOverByCopies: a copy fits by itself, and not beside the copies for other addresses of the maildrop. These may never
// come, so the refusal is for the moment.
var errOverByCopies = fmt.Errorf("%w with the copies for other addresses", quota.ErrOver)

// admitAll judges the recipients of a RCPT command. over lists the recipients behind a refusal that are over quota by this
// copy alone.
func (d *Deliverer) admitAll(ctx context.Context, accepted *Accepted, recipients []mail.Recipient, size int64) (over []mail.Recipient, refusal error) {
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
		if errors.Is(err, quota.ErrOver) && !errors.Is(err, errOverByCopies) {
			over = append(over, r)
		}
	}
	return over, refusal
}

func (d *Deliverer) admit(ctx context.Context, accepted *Accepted, r mail.Recipient, size int64) error {
	if r.Limits.Size > 0 && size > r.Limits.Size {
		return ErrTooLarge
	}
	err := d.quota.Admit(ctx, r, size)
	if err != nil || size <= 0 || !r.Limits.Quota() {
		return err
	}
	if n := int64(accepted.with(r)); n > 1 {
		if err = d.quota.Admit(ctx, r, n*size); errors.Is(err, quota.ErrOver) {
			err = errOverByCopies
		}
	}
	return err
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
