package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Alias is a live alias or group, for administration.
type Alias struct {
	// Address is canonical.
	Address mail.Address
	// Kind is store.KindAlias or store.KindGroup.
	Kind store.AddressKind
	// Targets are canonical, in the order of their texts. An alias has a single target; two datacenters that
	// changed an alias at the same time may leave several, and each gets the mail, or none, and mail is refused.
	Targets []mail.Address
	Created time.Time
}

func aliasOf(e *entry) Alias {
	return Alias{Address: e.row.Address, Kind: e.row.Kind, Targets: e.row.Targets, Created: e.row.Created}
}

// AddAlias makes an alias or a group in a hosted domain.
//
// Errors: mail.ErrBadAddress, ErrNoSuchDomain, ErrExists, ErrBadTarget, the store's. After
// store.ErrOutcomeUnknown a repetition may say ErrExists.
func (d *Directory) AddAlias(ctx context.Context, a mail.Address, kind store.AddressKind, targets []mail.Address) (Alias, error) {
	a, err := canonical(a)
	if err != nil {
		return Alias{}, err
	}
	if targets, err = canonicalTargets(targets); err != nil {
		return Alias{}, err
	}
	elsewhere, err := d.rowsElsewhere(ctx, a)
	if err != nil {
		return Alias{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	if err := d.hosted(ctx, a.Domain); err != nil {
		return Alias{}, err
	}
	rows, err := d.rowsHere(ctx, a, elsewhere)
	if err != nil {
		return Alias{}, err
	}
	if e := entryOf(rows); e != nil {
		return Alias{}, fmt.Errorf("%s %s: %w", e.row.Kind, a, ErrExists)
	}
	if err := d.checkTargets(ctx, a, kind, targets, targets); err != nil {
		return Alias{}, err
	}
	row := store.Address{
		Address: a, Generation: nextGeneration(rows).Sibling(kindNumber(kind)), Kind: kind, Created: d.nowMicros(), Targets: targets,
	}
	err = d.change(ctx, a, row.Generation, store.AddressChange{Kind: &row.Kind, Created: &row.Created, AddTargets: targets})
	if err != nil {
		return Alias{}, err
	}
	return aliasOf(&entry{row: row}), nil
}

// Alias returns a live alias or group, read from the store. Errors: mail.ErrBadAddress, ErrNoSuchAlias,
// the store's.
func (d *Directory) Alias(ctx context.Context, a mail.Address, kind store.AddressKind) (Alias, error) {
	e, err := d.liveAlias(ctx, a, kind)
	if err != nil {
		return Alias{}, err
	}
	return aliasOf(e), nil
}

// Aliases lists up to limit live aliases or groups of a domain, like Accounts. A page may be short, even empty, while next
// names a further page: one call examines about SearchLimit addresses at most. Errors: UnreadParts, as SearchAccounts; ErrNoSuchDomain, the store's.
func (d *Directory) Aliases(ctx context.Context, domain string, kind store.AddressKind, after string, limit int) (list []Alias, next string, err error) {
	domain, err = mail.CanonicalDomain(domain)
	if err != nil {
		return nil, "", err
	}
	if err := d.hosted(ctx, domain); err != nil {
		return nil, "", err
	}
	isOne := func(e *entry) bool { return e != nil && e.row.Kind == kind }
	next, err = d.page(ctx, domain, after, limit, isOne, func(e *entry) { list = append(list, aliasOf(e)) })
	if missesAll(err) {
		return nil, "", err
	}
	return list, next, err
}

// page calls add for up to limit entries of a domain that selected selects, from behind the local-part after. next is as
// for SearchAccounts. page examines about SearchLimit addresses at most.
func (d *Directory) page(ctx context.Context, domain, after string, limit int, selected func(*entry) bool, add func(*entry)) (next string, err error) {
	each := func(note func(error) error, fn func([]store.Address) (bool, error)) error {
		return EachReadable(ctx, d.store.Local.ListAddresses, domain, after, max(limit, pageSize), note, fn)
	}
	return d.pageOf(ctx, limit, each, func(rows []store.Address, full bool) (bool, error) {
		e := entryOf(rows)
		ok := selected(e)
		if ok && !full {
			add(e)
		}
		return ok, nil
	})
}

// SetTarget gives an alias other targets: usually one. None and several targets are for an alias as two
// datacenters may leave it. Errors: as ChangeMembers.
func (d *Directory) SetTarget(ctx context.Context, a mail.Address, targets ...mail.Address) (Alias, error) {
	targets, err := canonicalTargets(targets)
	if err != nil {
		return Alias{}, err
	}
	return d.changeTargets(ctx, a, store.KindAlias, targets, func(now []mail.Address) []mail.Address { return now })
}

// ChangeMembers adds and removes members of a group. A member that is there already, or is not there, is
// no error. A group may be empty: then its address has no account.
//
// Errors: mail.ErrBadAddress, ErrNoSuchAlias, ErrBadTarget, the store's.
func (d *Directory) ChangeMembers(ctx context.Context, a mail.Address, add, remove []mail.Address) (Alias, error) {
	remove, err := canonicalTargets(remove)
	if err != nil {
		return Alias{}, err
	}
	return d.changeTargets(ctx, a, store.KindGroup, add, func([]mail.Address) []mail.Address { return remove })
}

func (d *Directory) changeTargets(ctx context.Context, a mail.Address, kind store.AddressKind, add []mail.Address, removed func([]mail.Address) []mail.Address) (Alias, error) {
	add, err := canonicalTargets(add)
	if err != nil {
		return Alias{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.liveAlias(ctx, a, kind)
	if err != nil {
		return Alias{}, err
	}
	remove := slices.DeleteFunc(slices.Clone(removed(e.row.Targets)), func(t mail.Address) bool { return slices.Contains(add, t) })
	targets := slices.Concat(e.row.Targets, add)
	targets = sortedTargets(slices.DeleteFunc(targets, func(t mail.Address) bool { return slices.Contains(remove, t) }))
	if len(add) > 0 {
		if err := d.checkTargets(ctx, e.row.Address, kind, targets, add); err != nil {
			return Alias{}, err
		}
	}
	if err := d.change(ctx, e.row.Address, e.row.Generation, store.AddressChange{AddTargets: add, RemoveTargets: remove}); err != nil {
		return Alias{}, err
	}
	row := e.row
	row.Targets = targets
	return aliasOf(&entry{row: row}), nil
}

// RemoveAlias ends an alias or a group. A displaced account of the address counts again. Errors:
// mail.ErrBadAddress, ErrNoSuchAlias, the store's; the call may be repeated.
func (d *Directory) RemoveAlias(ctx context.Context, a mail.Address, kind store.AddressKind) error {
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.liveAlias(ctx, a, kind)
	if err != nil {
		return err
	}
	rows, err := d.store.Local.AddressRows(ctx, e.row.Address)
	if err != nil {
		return fmt.Errorf("account: look up address: %w", err)
	}
	return d.endRows(ctx, e.row.Address, rows, func(r store.Address) bool { return r.Kind != store.KindAccount })
}

// liveAlias reads the live alias or group of an address.
func (d *Directory) liveAlias(ctx context.Context, a mail.Address, kind store.AddressKind) (*entry, error) {
	a, err := canonical(a)
	if err != nil {
		return nil, err
	}
	e, err := d.read(ctx, a)
	switch {
	case err != nil:
		return nil, err
	case e == nil || e.row.Kind != kind:
		return nil, fmt.Errorf("%s %s: %w", kind, a, ErrNoSuchAlias)
	}
	return e, nil
}

// canonicalTargets returns targets in canonical form, in order, each once. Errors: mail.ErrBadAddress.
func canonicalTargets(targets []mail.Address) ([]mail.Address, error) {
	list := make([]mail.Address, len(targets))
	for i, t := range targets {
		var err error
		if list[i], err = canonical(t); err != nil {
			return nil, err
		}
	}
	return sortedTargets(list), nil
}

// sortedTargets sorts targets by their texts, and drops repetitions.
func sortedTargets(targets []mail.Address) []mail.Address {
	slices.SortFunc(targets, store.CompareTargets)
	return slices.Compact(targets)
}
