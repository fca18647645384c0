package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"popelago/mail"
	"popelago/store"
)

// ErrHalfWay: a rename has stopped between two writes.
var ErrHalfWay = errors.New("the rename has stopped half way: both addresses may lead to the mailbox until the rename is repeated")

// Rename gives an account another address. The account keeps its mailbox, its password, its state and its
// settings; the old address becomes an alias of the new address. Sessions in progress and deliveries in flight
// go on: they name the mailbox, which stays the same.
//
// Rename makes up to four writes. If Rename stops between two of them, both addresses work, and a repetition
// continues; a repetition after the last write changes nothing. As soon as the new address is an account, its
// password, its state and its settings count: a repetition copies none of them again, and a change under the old address
// meanwhile is made for both. A removal of the old address meanwhile leaves the account of the new address. The new address may be an
// alias that leads to the account alone, so that a rename can be undone by a rename.
//
// Errors: mail.ErrBadAddress, ErrNoSuchAccount (also for an alias, which the text names), ErrNoSuchDomain,
// ErrExists: something else has the new address; the store's, with ErrHalfWay behind the first write.
func (d *Directory) Rename(ctx context.Context, from, to mail.Address) (Account, error) {
	from, err := canonical(from)
	if err != nil {
		return Account{}, err
	}
	if to, err = canonical(to); err != nil {
		return Account{}, err
	}
	r := rename{from: from, to: to}
	if r.fromElsewhere, err = d.rowsElsewhere(ctx, from); err == nil {
		r.toElsewhere, err = d.rowsElsewhere(ctx, to)
	}
	if err != nil {
		return Account{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	if err := d.hosted(ctx, to.Domain); err != nil {
		return Account{}, err
	}
	if err := r.read(ctx, d); err != nil {
		return Account{}, err
	}
	switch done, err := r.judge(); {
	case err != nil:
		return Account{}, err
	case done:
		return accountOf(entryOf(r.toRows)), nil
	}
	return r.write(ctx, d)
}

// rename is one call of Rename.
type rename struct {
	from, to         mail.Address
	fromRows, toRows []store.Address
	// fromElsewhere and toElsewhere hold the rows of rowsElsewhere.
	fromElsewhere, toElsewhere []store.Address
	// account is the account to be renamed. leadsBack: the new address is an alias that leads to the account alone.
	account   *entry
	leadsBack bool
	// there is the account of the new address, if a rename has stopped half way.
	there *entry
	// generation is the generation of the new address, alias that of the alias.
	generation, alias mail.MessageID
}

func (r *rename) read(ctx context.Context, d *Directory) (err error) {
	if r.fromRows, err = d.rowsHere(ctx, r.from, r.fromElsewhere); err != nil {
		return err
	}
	if r.toRows, err = d.rowsHere(ctx, r.to, r.toElsewhere); err != nil {
		return err
	}
	r.account = entryOf(r.fromRows)
	e := entryOf(r.toRows)
	for range d.cfg.MaxAliasDepth {
		if e == nil || e.row.Kind != store.KindAlias || len(e.row.Targets) != 1 {
			break
		}
		if e, err = d.read(ctx, e.row.Targets[0]); err != nil {
			return err
		}
		if r.leadsBack = e.isAccount() && e.row.Address == r.from; r.leadsBack {
			break
		}
	}
	return nil
}

// judge finds the account and the generations; done reports that the rename was made before.
func (r *rename) judge() (done bool, err error) {
	there := entryOf(r.toRows)
	if r.from == r.to {
		return false, fmt.Errorf("account %s: %w", r.to, ErrExists)
	}
	if !r.account.isAccount() {
		return r.movedBefore(there)
	}
	switch {
	case there == nil, r.leadsBack:
		r.generation = renamedGeneration(nextGeneration(r.toRows), r.account.mailbox)
	case there.isAccount() && there.mailbox == r.account.mailbox:
		r.there = there
	default:
		return false, fmt.Errorf("%s %s: %w", there.row.Kind, r.to, ErrExists)
	}
	r.alias = r.account.row.Generation.Sibling(kindNumber(store.KindAlias))
	return false, nil
}

// movedBefore judges a rename of an address without an account.
func (r *rename) movedBefore(there *entry) (done bool, err error) {
	if there.isAccount() && slices.ContainsFunc(r.fromRows, func(row store.Address) bool {
		return row.Moved() && row.Mailbox() == there.mailbox
	}) {
		return true, nil
	}
	if r.account != nil {
		return false, fmt.Errorf("%s is no account but an %s of %s: %w", r.from, r.account.row.Kind, strings.Join(mail.AddressTexts(r.account.row.Targets), ", "), ErrNoSuchAccount)
	}
	return false, fmt.Errorf("account %s: %w", r.from, ErrNoSuchAccount)
}

// renamedGeneration names the generation of a renamed account with a mailbox, at an address whose next
// generation is next. Two datacenters that make the same rename at once make the same row. An account that
// another datacenter makes at the address at the same time is a row of its own: nobody logs in to the mailbox
// of another with its password.
func renamedGeneration(next mail.MessageID, mailbox mail.MailboxID) mail.MessageID {
	var own mail.MessageID
	copy(own[:], mailbox[:])
	return later(next, own)
}

// write makes the changes. The order counts: the alias, hidden behind the account, leads from the old address
// to the new one before a second row has the mailbox (see Shared); the new address has the mailbox before the
// old address becomes its alias.
func (r *rename) write(ctx context.Context, d *Directory) (Account, error) {
	alias, hidden, err := r.clearWay(ctx, d)
	if err != nil {
		return Account{}, err
	}
	addAlias := func() error { return d.change(ctx, r.from, r.alias, alias) }
	mark := func() error {
		return d.change(ctx, r.from, r.account.row.Generation, store.AddressChange{AddTargets: []mail.Address{r.to}})
	}
	made, steps := r.there, []func() error{addAlias, mark}
	if made == nil {
		row, change := r.newRow()
		if err := d.lowerLeastLocked(ctx, OwnLeast(row)); err != nil { // a walk may have passed the new address
			return Account{}, err
		}
		made = &entry{row: row, mailbox: row.Mailbox()}
		addRow := func() error { return d.change(ctx, r.to, r.generation, change) }
		steps = []func() error{addAlias, addRow, mark}
		if !hidden {
			steps = []func() error{addRow, addAlias, mark}
		}
	}
	for i, step := range steps {
		if i == 1 { // a client that gives up leaves no half of a rename
			rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), renameRest)
			defer cancel()
			ctx = rest
		}
		switch err := step(); {
		case err != nil && (i > 0 || r.there != nil):
			return Account{}, fmt.Errorf("%w: %w", ErrHalfWay, err)
		case err != nil:
			return Account{}, err
		}
	}
	return accountOf(made), nil
}

// renameRest limits the writes of a rename behind the first.
const renameRest = 30 * time.Second

// clearWay returns the change that makes the alias, and ends displaced groups of the old address, which
// would count before the alias. hidden is false if the alias counts before the account at once: then an
// alias of the same generation was removed for good.
func (r *rename) clearWay(ctx context.Context, d *Directory) (c store.AddressChange, hidden bool, err error) {
	kind, created := store.KindAlias, d.nowMicros()
	c = store.AddressChange{Kind: &kind, Created: &created, AddTargets: []mail.Address{r.to}}
	hidden = true
	groups := false
	for _, row := range r.fromRows {
		switch {
		case row.Kind == store.KindGroup && row.Removed.IsZero():
			groups = true
		case row.Generation != r.alias:
		case !row.Removed.IsZero():
			hidden = false
		default:
			c.RemoveTargets = slices.DeleteFunc(slices.Clone(row.Targets), func(a mail.Address) bool { return a == r.to })
		}
	}
	if !hidden {
		r.alias = nextGeneration(r.fromRows).Sibling(kindNumber(kind))
	}
	if groups {
		err = d.endRows(ctx, r.from, r.fromRows, func(row store.Address) bool { return row.Kind == store.KindGroup })
	}
	return c, hidden, err
}

// newRow returns the row of the new address, and the change that makes it. The change removes the settings of a row
// whose account has not arrived.
func (r *rename) newRow() (row store.Address, c store.AddressChange) {
	row = r.account.row
	origin := row.MailboxOrigin()
	row.Address, row.Generation, row.Origin = r.to, r.generation, origin
	settings := map[string]string{}
	for _, old := range r.toRows {
		if old.Generation == r.generation {
			for name := range old.Settings {
				settings[name] = ""
			}
		}
	}
	maps.Copy(settings, row.Settings)
	c = store.AddressChange{
		Kind: &row.Kind, Origin: &origin, Password: &row.Password, State: &row.State, Created: &row.Created,
		Retention: &row.Retention, Settings: settings,
	}
	if !row.Bulk.IsZero() {
		c.Bulk = &row.Bulk
	}
	return row, c
}
