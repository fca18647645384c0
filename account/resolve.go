package account

import (
	"context"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// Resolve finds the mailbox of mail for a. Recipient.Address is a as given.
//
// Errors: ErrNoSuchRecipient, ErrNotHosted, ErrDisabled, after the other datacenters were asked, see
// readElsewhere; errors of the store, wrapped, which are temporary (451).
func (d *Directory) Resolve(ctx context.Context, a mail.Address) (mail.Recipient, error) {
	canonical := a.Canonical()
	if canonical.Validate() != nil {
		return mail.Recipient{}, d.noRecipient(ctx, canonical)
	}
	e, cached, err := d.find(ctx, canonical)
	if err != nil {
		return mail.Recipient{}, err
	}
	if e == nil {
		if e, err = d.readElsewhere(ctx, canonical, nil); err != nil {
			return mail.Recipient{}, err
		}
	}
	if e == nil {
		return mail.Recipient{}, d.noRecipient(ctx, canonical)
	}
	r, err := d.recipient(ctx, a, e, cached)
	if err == nil && r.Account.IsZero() {
		err = d.noRecipient(ctx, canonical)
	}
	return r, err
}

// noRecipient returns the reason that a canonical address, which may be malformed, has no account:
// ErrNotHosted, ErrNoSuchRecipient, or an error of the store.
func (d *Directory) noRecipient(ctx context.Context, a mail.Address) error {
	name, err := mail.CanonicalDomain(a.Domain)
	if err != nil {
		return ErrNotHosted
	}
	switch domain, err := d.domain(ctx, name); {
	case err != nil:
		return err
	case domain.Name == "":
		return ErrNotHosted
	}
	return ErrNoSuchRecipient
}

// find returns the live account of a canonical address, from the cache if possible. A nil entry: no
// live account, as read from the store just now.
func (d *Directory) find(ctx context.Context, a mail.Address) (e *entry, cached bool, err error) {
	if e, ok := d.addresses.get(a, d.cfg.Now()); ok {
		d.metrics.lookups.WithLabelValues("cached").Inc()
		return e, true, nil
	}
	e, err = d.read(ctx, a)
	return e, false, err
}

// read returns the live account of a canonical address from the local datacenter; nil if the address
// has none.
func (d *Directory) read(ctx context.Context, a mail.Address) (*entry, error) {
	return d.readFrom(ctx, d.store.Local, a)
}

func (d *Directory) readFrom(ctx context.Context, st store.Addresses, a mail.Address) (*entry, error) {
	epoch := d.addresses.begin()
	rows, err := st.AddressRows(ctx, a)
	if err != nil {
		d.metrics.lookups.WithLabelValues("error").Inc()
		return nil, fmt.Errorf("account: look up address: %w", err)
	}
	d.metrics.lookups.WithLabelValues("read").Inc()
	e := entryOf(rows)
	if e != nil {
		d.least.saw(e.row.Retention)
	}
	d.addresses.put(a, e, e != nil, epoch, d.cfg.Now())
	return e, nil
}

// entryOf returns the live generation of an address, whose rows are given; nil if there is none.
func entryOf(rows []store.Address) *entry {
	i := liveRow(rows)
	if i < 0 {
		return nil
	}
	return &entry{row: rows[i], mailbox: mail.DeriveMailboxID(rows[i].Address, rows[i].Generation)}
}
