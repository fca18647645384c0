package account

import (
	"context"
	"errors"
	"strings"
	"time"

	"popelago/mail"
	"popelago/store"
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

// Authenticate checks a login name and password. The login is a full address, or a
// local-part of Config.DefaultDomain.
//
// Errors: ErrBadCredentials, ErrDisabled (after the right password only), the store's own,
// wrapped, and ctx.Err(), wrapped, if ctx ended while waiting for a turn to hash.
func (d *Directory) Authenticate(ctx context.Context, login, password string) (Login, error) {
	l, cached, err := d.authenticate(ctx, login, password)
	result := "ok"
	switch {
	case errors.Is(err, ErrBadCredentials):
		result = "bad_credentials"
	case errors.Is(err, ErrDisabled):
		result = "disabled"
	case err != nil:
		result = "error"
	case cached:
		result = "ok_cached"
	}
	d.metrics.logins.WithLabelValues(result).Inc()
	return l, err
}

// authenticate also reports whether the password was remembered, not hashed.
func (d *Directory) authenticate(ctx context.Context, login, password string) (_ Login, remembered bool, err error) {
	a, ok := d.loginAddress(login)
	if !ok {
		return Login{}, false, d.passwords.refuse(ctx, password)
	}
	e, cached, err := d.find(ctx, a)
	if err != nil {
		return Login{}, false, err
	}
	remembered, err = d.check(ctx, e, password)
	if cached {
		e, remembered, err = d.checkAgain(ctx, e, d.read, a, password, remembered, err)
	}
	e, remembered, err = d.checkAgain(ctx, e, d.readElsewhere, a, password, remembered, err)
	if err != nil {
		return Login{}, false, err
	}
	if cached && e.row.State == store.StateDisabled {
		if e, err = d.read(ctx, a); err != nil {
			return Login{}, false, err
		}
		// Enabled elsewhere in the meantime, perhaps with another password.
		remembered, err = d.check(ctx, e, password)
		if err != nil {
			return Login{}, false, err
		}
	}
	if e.row.State == store.StateDisabled {
		return Login{}, false, ErrDisabled
	}
	domain, err := d.settings(ctx, a.Domain)
	if err != nil {
		return Login{}, false, err
	}
	return Login{
		Address: e.row.Address, Mailbox: e.mailbox,
		Durability: domain.Durability.Durability(d.cfg.Durability), Retention: retention(e.row, domain),
	}, remembered, nil
}

// checkAgain reads a row again, in another way, if the password was wrong for e: it may have
// changed elsewhere. A second hash is due only if it did.
func (d *Directory) checkAgain(ctx context.Context, e *entry, read func(context.Context, mail.Address) (*entry, error),
	a mail.Address, password string, remembered bool, err error) (*entry, bool, error) {
	if !errors.Is(err, ErrBadCredentials) {
		return e, remembered, err
	}
	again, err := read(ctx, a)
	switch {
	case err != nil:
		return nil, false, err
	case again == nil:
		return nil, false, ErrBadCredentials
	case e != nil && again.mailbox == e.mailbox && again.row.Password == e.row.Password:
		return e, false, ErrBadCredentials
	}
	remembered, err = d.check(ctx, again, password)
	return again, remembered, err
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

// check compares password with that of e; e is nil for an unknown address. It computes
// exactly one hash, or none if this very combination was verified lately.
func (d *Directory) check(ctx context.Context, e *entry, password string) (remembered bool, err error) {
	if e == nil || e.row.Password == "" {
		return false, d.passwords.refuse(ctx, password)
	}
	key := d.verified.key(e.row, password)
	if d.verified.has(key, d.cfg.Now()) {
		return true, nil
	}
	release, err := d.passwords.turn(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	// Many sessions of one user may have waited together: the first has paid for all.
	if d.verified.has(key, d.cfg.Now()) {
		return true, nil
	}
	if err := d.passwords.verify(e.row, password); err != nil {
		return false, err
	}
	d.verified.put(key, d.cfg.Now())
	return false, nil
}
