package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Keeping returns the rule of a domain.
func (d *Directory) Keeping(domain store.Domain) Keeping { return d.cfg.Policy.Keeping(domain) }

// Choice is the retention of an account, as its user may choose it.
type Choice struct {
	// Own is the retention of the account itself.
	Own mail.Retention
	// InForce is the retention in force, see Keeping.
	InForce mail.Retention
	// Free reports whether users of the domain choose their own retention.
	Free bool
	// Least and Greatest are texts of the bounds, such as "10d" and "forever".
	Least, Greatest string
}

// Confirm reports whether a login still counts: nobody has ended or disabled the account since, or given it
// another password. A password that was right may be in the hands of a stranger, for whom an administrator
// has changed it.
//
// Errors: ErrNoSuchAccount if the account has ended since, ErrChanged if its password has changed or it is
// disabled. Both are ErrBadCredentials, too, or ErrDisabled for a disabled account. Those of readElsewhere, the store's.
func (d *Directory) Confirm(ctx context.Context, l Login) error {
	_, err := d.own(ctx, l)
	return err
}

// own reads the account of a login, before a refusal from every datacenter: SignIn may know a password that has not
// arrived here. Errors: those of Confirm.
func (d *Directory) own(ctx context.Context, l Login) (*entry, error) {
	e, err := d.live(ctx, l.Address)
	if err == nil {
		err = l.confirm(e)
	}
	if d.store.Several && (errors.Is(err, ErrChanged) || errors.Is(err, ErrNoSuchAccount)) {
		if e, err = d.readElsewhere(ctx, l.Address, e); err != nil {
			return nil, err
		}
		if err = fmt.Errorf("account %s: %w", l.Address, ErrNoSuchAccount); e.isAccount() {
			err = l.confirm(e)
		}
	}
	switch {
	case err == nil:
		return e, nil
	case errors.Is(err, ErrChanged) && passwordTag(e.row.Password) == l.tag:
		return nil, fmt.Errorf("%w: %w", ErrDisabled, err)
	case errors.Is(err, ErrChanged), errors.Is(err, ErrNoSuchAccount):
		return nil, fmt.Errorf("%w: %w", ErrBadCredentials, err)
	}
	return nil, err
}

// confirm compares a login with the account of its address. Errors: ErrNoSuchAccount, ErrChanged.
func (l Login) confirm(e *entry) error {
	switch {
	case e.mailbox != l.Mailbox:
		return fmt.Errorf("account %s: %w", l.Address, ErrNoSuchAccount)
	case passwordTag(e.row.Password) != l.tag:
		return fmt.Errorf("%s: %w: its password is another one", l.Address, ErrChanged)
	case e.disabled():
		return fmt.Errorf("%s: %w: it is disabled", l.Address, ErrChanged)
	}
	return nil
}

// Choice returns the retention of the account of a login, read from the store. Errors: those of Confirm.
func (d *Directory) Choice(ctx context.Context, l Login) (Choice, error) {
	e, err := d.own(ctx, l)
	if err != nil {
		return Choice{}, err
	}
	domain, err := d.Domain(ctx, l.Address.Domain)
	if err != nil {
		return Choice{}, err
	}
	k := d.Keeping(domain)
	return Choice{
		Own: e.row.Retention, InForce: k.Of(e.row.Retention), Free: k.bounded(), Least: k.leastText(), Greatest: k.greatestText(),
	}, nil
}

// Choose sets the retention of the account of a login, as its user wishes; mail.AsDomain: the retention of
// the domain. The retention must be within the bounds of the domain.
//
// Errors: ErrNoChoice, ErrBadSetting, those of Confirm.
func (d *Directory) Choose(ctx context.Context, l Login, own mail.Retention) error {
	domain, err := d.Domain(ctx, l.Address.Domain)
	if err != nil {
		return err
	}
	if own, err = checkOwnRetention(own); err != nil {
		return err
	}
	if err := d.Keeping(domain).checkChoice(own); err != nil {
		return err
	}
	return d.changeOwn(ctx, l.Address, &l, store.AddressChange{Retention: &own})
}

// ChoosePassword sets the password of the account of a login, as its user wishes. Sessions go on.
//
// Errors: ErrBadPassword, ErrWeakPassword, those of Confirm.
func (d *Directory) ChoosePassword(ctx context.Context, l Login, password string) error {
	if err := checkPassword(password, d.cfg.MinPasswordLength); err != nil {
		return err
	}
	hash, err := d.passwords.hash(ctx, password, seat{class: classKnown})
	if err != nil {
		return err
	}
	return d.changeOwn(ctx, l.Address, &l, store.AddressChange{Password: &hash})
}

// OwnMaildrop returns the maildrop of the account of a login. Errors: those of Confirm.
func (d *Directory) OwnMaildrop(ctx context.Context, l Login) (Maildrop, error) {
	e, err := d.own(ctx, l)
	if err != nil {
		return Maildrop{}, err
	}
	return d.maildropOf(ctx, accountOf(e))
}

// LastLogin returns the last login to a mailbox that is noted; zero: none. Errors: the store's.
func (d *Directory) LastLogin(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	at, err := d.store.Local.LastLogin(ctx, mailbox)
	if err != nil {
		return time.Time{}, fmt.Errorf("account: last login: %w", err)
	}
	return at, nil
}
