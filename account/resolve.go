package account

import (
	"context"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// Resolve is Expand for an address that leads to a single account. Errors: also ErrSeveralAccounts.
func (d *Directory) Resolve(ctx context.Context, a mail.Address) (mail.Recipient, error) {
	found, err := d.Expand(ctx, a)
	switch {
	case err != nil:
		return mail.Recipient{}, err
	case len(found) > 1:
		return mail.Recipient{}, fmt.Errorf("%s: %w", a, ErrSeveralAccounts)
	}
	return found[0], nil
}

// Expand finds the mailboxes of mail for a, at least one: of an account, or of all accounts that an alias,
// a group, or a rule of the domain leads to (see expansion). Each mailbox occurs once.
//
// The mail for an address that leads to several accounts goes to the accounts that exist and are not
// disabled; Expand counts and logs the missing ones.
//
// Errors: ErrNoSuchRecipient, ErrNotHosted, ErrDisabled, after the other datacenters were asked, see
// readElsewhere; ErrMisdirected; errors of the store, wrapped. The last two are temporary (451).
func (d *Directory) Expand(ctx context.Context, a mail.Address) ([]mail.Recipient, error) {
	canonical := a.Canonical()
	if canonical.Validate() != nil {
		return nil, d.noRecipient(ctx, canonical)
	}
	e, cached, err := d.findOrMiss(ctx, canonical)
	if err != nil {
		return nil, err
	}
	if !e.isAccount() {
		x := newExpansion(d, a)
		x.note(canonical, e, cached)
		return x.run(ctx)
	}
	r, err := d.recipient(ctx, a, e, cached)
	switch {
	case err != nil:
		return nil, err
	case r.Account.IsZero():
		return newExpansion(d, a).run(ctx) // the account has ended meanwhile
	}
	return []mail.Recipient{r}, nil
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

// find returns the live entry of a canonical address, from the cache if possible. A nil entry: no
// live account, alias or group, as read from the store just now.
func (d *Directory) find(ctx context.Context, a mail.Address) (e *entry, cached bool, err error) {
	if e, ok := d.addresses.get(a, d.cfg.Now()); ok {
		d.metrics.lookups.WithLabelValues("cached").Inc()
		return e, true, nil
	}
	e, err = d.read(ctx, a)
	return e, false, err
}

// findOrMiss is find, from the cache also for an address that had no entry a moment ago: a rule of the domain
// may answer for the address. Before a refusal the caller reads the address again.
func (d *Directory) findOrMiss(ctx context.Context, a mail.Address) (e *entry, cached bool, err error) {
	if _, missing := d.missing.get(a, d.cfg.Now()); missing {
		e, _ := d.addresses.get(a, d.cfg.Now())
		return e, true, nil
	}
	epoch := d.missing.begin()
	e, cached, err = d.find(ctx, a)
	if err == nil && e == nil {
		d.missing.put(a, struct{}{}, true, epoch, d.cfg.Now())
	}
	return e, cached, err
}

// read returns the live entry of a canonical address from the local datacenter; nil if the address
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
		d.least.saw(OwnLeast(e.row))
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
	e := &entry{row: rows[i], mailbox: rows[i].Mailbox()}
	if !e.isAccount() || len(rows) == 1 {
		return e
	}
	alias := e.row.Generation.Sibling(kindNumber(store.KindAlias))
	for _, r := range rows {
		if r.Generation == alias && r.Kind == store.KindAlias && r.Removed.IsZero() {
			e.beside = r.Targets
		}
	}
	return e
}

// forgetAddress must be called after every change of an address, see cache.forget.
func (d *Directory) forgetAddress(a mail.Address) {
	d.addresses.forget(a)
	d.missing.forget(a)
}
