package account

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// SetBulk makes the mailbox of an account bulk, for good: for messages from the moment that it
// returns, which lies so far ahead that all servers know of it by then. For one that is bulk
// already that is when it began to be.
//
// Errors: mail.ErrBadAddress, ErrNoSuchAccount, ErrNoBulk, the store's; it may be repeated.
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

// SetBulkByRecipient is SetBulk for a mailbox that one of its messages is known of: with the
// recipient of that, see mail.Message. It does nothing, and returns zero values, if this is
// not, or no longer, the mailbox of the recipient's account, or is bulk already.
//
// Errors: ErrNoBulk, the store's.
func (d *Directory) SetBulkByRecipient(ctx context.Context, recipient string, mailbox mail.MailboxID) (mail.Address, time.Time, error) {
	a, err := mail.ParsePath(recipient)
	if err != nil {
		return mail.Address{}, time.Time{}, nil // nobody's
	}
	a = a.Canonical()
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.read(ctx, a)
	if err != nil || e == nil || e.mailbox != mailbox || !e.row.Bulk.IsZero() {
		return mail.Address{}, time.Time{}, err
	}
	since, err := d.setBulk(ctx, e)
	return a, since, err
}

// setBulk marks the mailbox first, and then tells those who deliver. It is called with changes
// locked.
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
	return since, d.change(ctx, a, e.row.Generation, store.AddressChange{Bulk: &since})
}
