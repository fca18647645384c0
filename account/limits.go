package account

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// Limited is a live account with the limits in force.
type Limited struct {
	Address mail.Address
	Mailbox mail.MailboxID
	Limits  mail.Limits
}

// Limited returns a live account with its limits, read from the store. Errors: mail.ErrBadAddress,
// ErrNoSuchAccount, the store's.
func (d *Directory) Limited(ctx context.Context, a mail.Address) (Limited, error) {
	a, err := canonical(a)
	if err != nil {
		return Limited{}, err
	}
	e, err := d.live(ctx, a)
	if err != nil {
		return Limited{}, err
	}
	domain, err := d.Domain(ctx, a.Domain)
	if err != nil {
		return Limited{}, err
	}
	return d.limited(e, domain), nil
}

// ListLimited lists up to limit live accounts of a domain with their limits, in pages as Aliases does.
func (d *Directory) ListLimited(ctx context.Context, name, after string, limit int) (accounts []Limited, next string, err error) {
	domain, err := d.Domain(ctx, name)
	if err != nil {
		return nil, "", err
	}
	next, err = d.page(ctx, domain.Name, after, limit, (*entry).isAccount, func(e *entry) { accounts = append(accounts, d.limited(e, domain)) })
	if missesAll(err) {
		return nil, "", err
	}
	return accounts, next, err
}

func (d *Directory) limited(e *entry, domain store.Domain) Limited {
	return Limited{Address: e.row.Address, Mailbox: e.mailbox, Limits: d.policy(e.row, domain).limits()}
}
