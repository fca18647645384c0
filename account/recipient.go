package account

import (
	"context"
	"errors"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// use is a use of an account that the policy permits or refuses.
type use int

// The uses.
const (
	useMail use = iota // the account gets mail
	usePOP3            // a client logs in
)

// recipient returns the recipient a with the mailbox of the account e. cached reports that e may be old.
// recipient returns no mailbox if the account has ended meanwhile. The catch-all of a domain always has an
// original address: programs that split its mail find the line in each message.
//
// Errors: ErrDisabled, after the other datacenters were asked; the store's.
func (d *Directory) recipient(ctx context.Context, a mail.Address, e *entry, cached bool) (mail.Recipient, error) {
	e, p, err := d.permitted(ctx, e, cached, useMail)
	if err != nil || e == nil {
		return mail.Recipient{}, err
	}
	r := mail.Recipient{
		Address: a, Mailbox: e.mailbox, Account: e.row.Address,
		Durability: p.Durability, Limits: p.limits(), Bulk: e.row.Bulk,
	}
	if p.CatchAll != "" && p.CatchAll == r.Account.String() {
		r.Original = a
	}
	return r, nil
}

// permitted returns the account e and its policy if the policy permits a use. Before a refusal, permitted
// reads the account and its domain again, here and then in the other datacenters: an administrator may have
// changed either a moment ago. The entry is nil if no account is left.
//
// Errors: ErrDisabled, with the reason; ErrBusyElsewhere; store.ErrClock, if the clock that decides about an
// expiry is not trusted; the store's.
func (d *Directory) permitted(ctx context.Context, e *entry, cached bool, u use) (*entry, Policy, error) {
	a := e.row.Address
	domain, err := d.domain(ctx, a.Domain)
	if err != nil {
		return nil, Policy{}, err
	}
	p := d.policy(e.row, domain)
	refusal := d.refusal(e, p, u)
	if refusal == nil || !errors.Is(refusal, ErrDisabled) {
		return e, p, refusal
	}
	if cached || !e.disabled() {
		if e, p, err = d.readPolicy(ctx, d.store.Local, a); err != nil {
			return nil, Policy{}, err
		}
		if e != nil {
			if refusal = d.refusal(e, p, u); !errors.Is(refusal, ErrDisabled) {
				return e, p, refusal
			}
		}
	}
	if !d.store.Several {
		return e, p, refusalOf(e, refusal)
	}
	if err := d.turnElsewhere(ctx, d.elsewhere, askAddress); err != nil {
		return nil, Policy{}, err
	}
	e, p, err = d.readPolicy(ctx, d.store.Each, a)
	d.metrics.answered(askAddress, e != nil, err)
	if err != nil || e == nil {
		return nil, Policy{}, err
	}
	return e, p, d.refusal(e, p, u)
}

// refusalOf returns the refusal of an account, nil without an account.
func refusalOf(e *entry, refusal error) error {
	if e == nil {
		return nil
	}
	return refusal
}

// refusal returns the reason why the policy p of an account refuses a use; nil if p permits the use.
// Errors: ErrDisabled; store.ErrClock.
func (d *Directory) refusal(e *entry, p Policy, u use) error {
	switch {
	case e.disabled():
		return disabled("the account is disabled", p)
	case u == useMail && p.Deliver == Off:
		return disabled("deliver is off", p)
	case u == usePOP3 && p.POP3 == Off:
		return disabled("pop3 is off", p)
	case p.Expires.IsZero() || d.cfg.Now().Before(p.Expires):
		return nil
	}
	if err := d.store.Local.Clock(); err != nil {
		return fmt.Errorf("account: judge the expiry of an account: %w", err)
	}
	return disabled("the account has expired", p)
}

// disabledError is an ErrDisabled with its cause and the reason that an administrator gave.
type disabledError struct{ cause, reason string }

func disabled(cause string, p Policy) error { return disabledError{cause, p.Reason} }

// Error describes the refusal, for the log.
func (e disabledError) Error() string {
	text := ErrDisabled.Error() + ": " + e.cause
	if e.reason != "" {
		text += ": " + e.reason
	}
	return text
}

// Unwrap returns ErrDisabled.
func (e disabledError) Unwrap() error { return ErrDisabled }

// readPolicy reads an account and its domain; the entry is nil if the address has no account.
func (d *Directory) readPolicy(ctx context.Context, st store.Directory, a mail.Address) (*entry, Policy, error) {
	e, err := d.readFrom(ctx, st, a)
	if err != nil || !e.isAccount() {
		return nil, Policy{}, err
	}
	domain, err := d.readDomain(ctx, st, a.Domain)
	if err != nil {
		return nil, Policy{}, err
	}
	return e, d.policy(e.row, domain), nil
}

// Limits reads the limits of an account from the store, from every datacenter if there are several: before
// mail is refused permanently. Account is a canonical address. An account that has ended has no limits.
//
// Errors: ErrBusyElsewhere, the store's.
func (d *Directory) Limits(ctx context.Context, account mail.Address) (mail.Limits, error) {
	st := d.store.Local
	if d.store.Several {
		if err := d.turnElsewhere(ctx, d.elsewhere, askAddress); err != nil {
			return mail.Limits{}, err
		}
		st = d.store.Each
	}
	_, p, err := d.readPolicy(ctx, st, account)
	return p.limits(), err
}
