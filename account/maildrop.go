package account

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// Maildrop is the account whose maildrop an administrator opens, enabled or disabled.
type Maildrop struct {
	Account
	// Durability of deliveries to the maildrop, and of removals.
	Durability mail.Durability
	// InForce is the retention in force, see Keeping.
	InForce mail.Retention
}

// Maildrop returns one live account with the policy that is in force for its maildrop. The account is
// read from the store. Errors: mail.ErrBadAddress, ErrNoSuchAccount, the store's.
func (d *Directory) Maildrop(ctx context.Context, a mail.Address) (Maildrop, error) {
	acc, err := d.Account(ctx, a)
	if err != nil {
		return Maildrop{}, err
	}
	return d.maildropOf(ctx, acc)
}

// maildropOf returns the maildrop of an account. Errors: the store's.
func (d *Directory) maildropOf(ctx context.Context, acc Account) (Maildrop, error) {
	domain, err := d.domain(ctx, acc.Address.Domain)
	if err != nil {
		return Maildrop{}, err
	}
	p := d.policy(store.Address{Retention: acc.Retention, Settings: acc.Settings}, domain)
	return Maildrop{Account: acc, Durability: p.Durability, InForce: p.Retention}, nil
}

// Recipient returns the recipient of messages that administration copies into the maildrop.
func (m Maildrop) Recipient() mail.Recipient {
	return mail.Recipient{Address: m.Address, Mailbox: m.Mailbox, Durability: m.Durability, Bulk: m.Bulk}
}
