package account

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// SetBulk makes the mailbox of an account bulk, permanently, for messages from the moment returned.
// The moment lies so far ahead that every server knows of the change by then. For a mailbox that is
// bulk already, SetBulk returns the moment of the first change.
//
// Errors: mail.ErrBadAddress, ErrNoSuchAccount, ErrNoBulk, the store's; the call may be repeated.
func (d *Directory) SetBulk(ctx context.Context, a mail.Address) (time.Time, error) {
	a, err := canonical(a)
	if err != nil {
		return time.Time{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.live(ctx, a)
	if err != nil {
		return time.Time{}, err
	}
	return d.setBulk(ctx, e)
}

// SetBulkByRecipient is SetBulk for a mailbox that the caller knows by one of its messages: recipient
// is the recipient of the message, see mail.Message. SetBulkByRecipient returns zero values, and
// changes nothing, if the mailbox does not belong to the recipient's account, or is bulk already.
//
// Errors: ErrNoBulk, the store's.
func (d *Directory) SetBulkByRecipient(ctx context.Context, recipient string, mailbox mail.MailboxID) (mail.Address, time.Time, error) {
	a, err := mail.ParsePath(recipient)
	if err != nil {
		return mail.Address{}, time.Time{}, nil // no account's
	}
	a = a.Canonical()
	d.changes.Lock()
	defer d.changes.Unlock()
	x := newExpansion(d, a)
	x.lookup = x.fromCache
	at, err := x.locate(ctx, a, false) // the recipient may have a tag
	e := at.entry
	if err == nil && e != nil {
		e, err = d.read(ctx, e.row.Address)
	}
	if err != nil || !e.isAccount() || e.mailbox != mailbox || !e.row.Bulk.IsZero() {
		return mail.Address{}, time.Time{}, err
	}
	since, err := d.setBulk(ctx, e)
	return e.row.Address, since, err
}

// setBulk marks the mailbox first, and then writes the account, which deliveries read. The caller
// holds changes.
func (d *Directory) setBulk(ctx context.Context, e *entry) (since time.Time, err error) {
	if !e.row.Bulk.IsZero() {
		return e.row.Bulk, nil
	}
	a := e.row.Address
	if err := d.durably(ctx, a.Domain, func(st store.Directory) (err error) {
		since, err = st.SetBulk(ctx, e.mailbox)
		return err
	}); err != nil {
		return time.Time{}, fmt.Errorf("account: make the mailbox of %s bulk: %w", a, err)
	}
	if since.IsZero() {
		return since, ErrNoBulk
	}
	// Until then each server has read the row again.
	if known := d.nowMicros().Add(2 * max(d.cfg.CacheTTL, 0)); known.After(since) {
		since = known
	}
	return since, d.changeAccount(ctx, e, nil, store.AddressChange{Bulk: &since})
}
