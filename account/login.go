package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"popelago/mail"
)

// Login is who Authenticate recognized.
type Login struct {
	// Address is canonical.
	Address mail.Address
	Mailbox mail.MailboxID
	// Durability is what removals have to reach.
	Durability mail.Durability
	// Retention is how long messages stay at most; zero: for ever.
	Retention time.Duration
}

// authenticate also reports whether the password was remembered, not hashed.
func (d *Directory) authenticate(ctx context.Context, t *attempt) (_ Login, remembered bool, err error) {
	if !t.valid {
		_, err := d.check(ctx, nil, t)
		return Login{}, false, err
	}
	a := t.address
	e, cached, err := d.find(ctx, a)
	if err != nil {
		return Login{}, false, err
	}
	remembered, err = d.check(ctx, e, t)
	if cached {
		e, remembered, err = d.checkAgain(ctx, e, d.readAgain, t, remembered, err)
	}
	e, remembered, err = d.checkAgain(ctx, e, d.readElsewhere, t, remembered, err)
	if err != nil {
		return Login{}, false, err
	}
	if e.disabled() {
		return Login{}, false, ErrDisabled
	}
	domain, err := d.domain(ctx, a.Domain)
	if err != nil {
		return Login{}, false, err
	}
	return Login{
		Address: e.row.Address, Mailbox: e.mailbox,
		Durability: domain.Durability.Durability(d.cfg.Durability), Retention: retention(e.row, domain),
	}, remembered, nil
}

// checkAgain reads a row again, in another way, if the password was wrong for e or e is disabled:
// both may have changed elsewhere. A second hash is due only if the password did.
func (d *Directory) checkAgain(ctx context.Context, e *entry, read func(context.Context, mail.Address, *entry) (*entry, error),
	t *attempt, remembered bool, err error) (*entry, bool, error) {
	wrong := errors.Is(err, ErrBadCredentials)
	if !wrong && (err != nil || !e.disabled()) {
		return e, remembered, err
	}
	again, readErr := read(ctx, t.address, e)
	switch {
	case readErr != nil:
		return nil, false, readErr
	case again == nil:
		return nil, false, t.refused()
	case e != nil && again.mailbox == e.mailbox && again.row.Password == e.row.Password:
		if wrong {
			err = t.refused()
		}
		return again, remembered, err
	}
	remembered, err = d.check(ctx, again, t)
	return again, remembered, err
}

// readAgain is read for checkAgain.
func (d *Directory) readAgain(ctx context.Context, a mail.Address, _ *entry) (*entry, error) {
	return d.read(ctx, a)
}

// loginAddress is the canonical address that a login name means.
func (d *Directory) loginAddress(login string) (mail.Address, bool) {
	if !strings.Contains(login, "@") && d.cfg.DefaultDomain != "" {
		login += "@" + d.cfg.DefaultDomain
	}
	a, err := mail.ParseAddress(login)
	if err != nil {
		return mail.Address{}, false
	}
	a = a.Canonical()
	return a, a.Validate() == nil
}

// check compares the password of an attempt with that of e; e is nil for an unknown address. It
// computes exactly one hash, or none if this very combination was verified lately or was found
// wrong lately for the same client.
func (d *Directory) check(ctx context.Context, e *entry, t *attempt) (remembered bool, err error) {
	t.stranger = e == nil
	key := d.key(e, t)
	t.guess = guessOf(key)
	if d.verified.has(key, d.cfg.Now()) {
		return true, nil
	}
	if t.known && t.guess == t.proven {
		t.admitted, t.reserved = true, true
	}
	if d.counts(t) && d.penalties.repeated(t.from, t.guess) {
		return false, t.refused()
	}
	release, err := d.turn(ctx, t)
	if err != nil {
		return false, err
	}
	defer release()
	// Many sessions of one user may have waited together: the first has paid for all.
	if d.verified.has(key, d.cfg.Now()) {
		return true, nil
	}
	if e == nil || e.row.Password == "" {
		d.passwords.refuse(t.Password)
		return false, t.refused()
	}
	if err := d.passwords.verify(e.row, t.Password); err != nil {
		return false, err
	}
	d.verified.put(key, d.cfg.Now())
	return false, nil
}
