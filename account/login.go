package account

import (
	"context"
	"errors"
	"strings"

	"popelago/mail"
)

// Login is the account of a successful login.
type Login struct {
	// Address is canonical.
	Address mail.Address
	Mailbox mail.MailboxID
	// Durability of removals from the maildrop.
	Durability mail.Durability
	// Retention in force.
	Retention mail.Retention
	// AfterRetrieval is the retention after the first retrieval in force; without an end: none.
	AfterRetrieval mail.Retention
	// Reading is the level of the list of the maildrop.
	Reading mail.Reading
	// tag is the passwordTag of the stored hash that the password of the login fits.
	tag string
}

// authenticate also reports whether the password was remembered, so that no hash was computed.
func (d *Directory) authenticate(ctx context.Context, t *attempt) (_ Login, remembered bool, err error) {
	if !t.valid {
		_, err := d.check(ctx, nil, t)
		return Login{}, false, err
	}
	e, cached, err := d.findLogin(ctx, t)
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
	now, p, err := d.permitted(ctx, e, true, usePOP3)
	if err != nil {
		return Login{}, false, err
	}
	if now == nil || now.mailbox != e.mailbox || now.row.Password != e.row.Password {
		if remembered, err = d.check(ctx, now, t); err != nil { // another account or password, meanwhile
			return Login{}, false, err
		}
	}
	return Login{
		Address: now.row.Address, Mailbox: now.mailbox, Durability: p.Durability, Retention: p.Retention, AfterRetrieval: p.AfterRetrieval,
		Reading: p.Reading, tag: passwordTag(now.row.Password),
	}, remembered, nil
}

// checkAgain reads a row again through read if the password was wrong for e or e is disabled: another
// process may have changed both. A second hash is computed only if the stored hash has changed.
func (d *Directory) checkAgain(ctx context.Context, e *entry, read func(context.Context, mail.Address, *entry) (*entry, error),
	t *attempt, remembered bool, err error) (*entry, bool, error) {
	wrong := errors.Is(err, ErrBadCredentials)
	if !wrong && (err != nil || !e.disabled()) {
		return e, remembered, err
	}
	again, readErr := read(ctx, t.address, e)
	again = again.orNone()
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

// findLogin finds the account of a login. The name in a domain that stands for another also names the
// account in the other domain: then t.address becomes the address of the account. An alias or a group is no
// account, and nobody logs in to it.
func (d *Directory) findLogin(ctx context.Context, t *attempt) (e *entry, cached bool, err error) {
	e, cached, err = d.find(ctx, t.address)
	if err != nil || e.isAccount() {
		return e, cached, err
	}
	domain, err := d.settings(ctx, t.address.Domain)
	if err != nil {
		return nil, false, err
	}
	if real := domain.Settings[SettingAliasOf]; real != "" {
		if t.Reaches != nil {
			if err := t.Reaches(real); err != nil {
				return nil, false, err
			}
		}
		t.address.Domain = real
		e, cached, err = d.find(ctx, t.address)
	}
	return e.orNone(), cached, err
}

// readAgain is read for checkAgain.
func (d *Directory) readAgain(ctx context.Context, a mail.Address, _ *entry) (*entry, error) {
	return d.read(ctx, a)
}

// LoginAddress returns the canonical address that a login name stands for; false for a name that is no address.
func (d *Directory) LoginAddress(login string) (mail.Address, bool) {
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

// MayShow reports whether logs and events may have the name of a login that failed with an error of SignIn. A name that is
// neither an address nor the name of an account may be a password in the wrong place.
func MayShow(login string, err error) bool {
	if errors.Is(err, ErrDisabled) || errors.Is(err, ErrBadCredentials) && !errors.Is(err, ErrNoSuchAccount) {
		return true // the account exists
	}
	_, parsed := mail.ParseAddress(login)
	return parsed == nil && strings.Contains(login, "@")
}

// LoginReason is the class of a failed login for logs and records; empty for an error of SignIn that says nothing
// about the name and the password.
func LoginReason(err error) string {
	switch {
	case errors.Is(err, ErrNoSuchAccount):
		return "unknown_user"
	case errors.Is(err, ErrBadCredentials):
		return "wrong_password"
	case errors.Is(err, ErrDisabled):
		return "disabled"
	case errors.Is(err, ErrTooManyFailures):
		return "held_back"
	}
	return ""
}

// check compares the password of a login with the password of e; e is nil for an unknown address.
// check computes exactly one hash, or none if the same combination was verified lately or was wrong
// lately for the same client.
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
	// Many sessions of one user may have waited together: the first has computed the hash for all.
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
