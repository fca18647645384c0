package account

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Account is a live account, for administration.
type Account struct {
	// Address is canonical.
	Address mail.Address
	Mailbox mail.MailboxID
	// State is never empty.
	State   store.AddressState
	Created time.Time
	// Retention of its own.
	Retention mail.Retention
	// Settings of its own by name, without retention.
	Settings map[string]string
	// Bulk is the moment from which the mailbox is bulk, possibly in the future; zero: not bulk.
	Bulk time.Time
	// PasswordTag differs after every change of the password, also to the same password. Nobody can test
	// passwords with it: the salt of the stored hash is part of it, and secret.
	PasswordTag string
}

func accountOf(e *entry) Account {
	a := Account{
		Address: e.row.Address, Mailbox: e.mailbox, State: e.row.State, Created: e.row.Created,
		Retention: e.row.Retention, Settings: e.row.Settings, Bulk: e.row.Bulk, PasswordTag: passwordTag(e.row.Password),
	}
	if a.State == "" {
		a.State = store.StateEnabled
	}
	return a
}

// OwnSettings returns the settings of the account's own by name, a retention included.
func (a Account) OwnSettings() map[string]string {
	return addressTexts(store.Address{Settings: a.Settings, Retention: a.Retention})
}

// AddAccount makes an account in a hosted domain. For an address removed before, the account is a new
// generation with an empty mailbox of its own.
//
// Errors: mail.ErrBadAddress, ErrBadPassword, ErrWeakPassword, ErrNoSuchDomain, ErrExists,
// the store's. After store.ErrOutcomeUnknown a repetition may say ErrExists.
func (d *Directory) AddAccount(ctx context.Context, a mail.Address, password string) (Account, error) {
	a, err := canonical(a)
	if err != nil {
		return Account{}, err
	}
	if err := checkPassword(password, d.cfg.MinPasswordLength); err != nil {
		return Account{}, err
	}
	hash, err := d.passwords.hash(ctx, password, seat{class: classKnown})
	if err != nil {
		return Account{}, err
	}
	elsewhere, err := d.rowsElsewhere(ctx, a)
	if err != nil {
		return Account{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	if err := d.hosted(ctx, a.Domain); err != nil {
		return Account{}, err
	}
	rows, err := d.rowsHere(ctx, a, elsewhere)
	if err != nil {
		return Account{}, err
	}
	if entryOf(rows) != nil {
		return Account{}, fmt.Errorf("account %s: %w", a, ErrExists)
	}
	row := store.Address{
		Address: a, Generation: nextGeneration(rows), Kind: store.KindAccount,
		Password: hash, State: store.StateEnabled, Created: d.nowMicros(),
	}
	err = d.change(ctx, a, row.Generation, store.AddressChange{
		Kind: &row.Kind, Password: &row.Password, State: &row.State, Created: &row.Created,
	})
	if err != nil {
		return Account{}, err
	}
	return accountOf(entryOf([]store.Address{row})), nil
}

// Account returns one live account, read from the store. Errors: mail.ErrBadAddress,
// ErrNoSuchAccount, the store's.
func (d *Directory) Account(ctx context.Context, a mail.Address) (Account, error) {
	a, err := canonical(a)
	if err != nil {
		return Account{}, err
	}
	e, err := d.live(ctx, a)
	if err != nil {
		return Account{}, err
	}
	return accountOf(e), nil
}

// Accounts lists up to limit live accounts of a domain, from behind the local-part after (empty: from
// the start), in the order of the storage engine. next is the after of the following page; empty on
// the last page.
//
// Errors: ErrNoSuchDomain, the store's.
func (d *Directory) Accounts(ctx context.Context, domain, after string, limit int) (accounts []Account, next string, err error) {
	found, next, err := d.SearchAccounts(ctx, domain, Search{}, after, limit)
	for _, f := range found {
		accounts = append(accounts, f.Account)
	}
	return accounts, next, err
}

// SetPassword gives an account a new password. The old password ends at once in this process, and
// within Config.CacheTTL in other processes.
//
// Errors: mail.ErrBadAddress, ErrNoSuchAccount, ErrBadPassword, ErrWeakPassword, the store's.
func (d *Directory) SetPassword(ctx context.Context, a mail.Address, password string) error {
	a, err := canonical(a)
	if err != nil {
		return err
	}
	if err := checkPassword(password, d.cfg.MinPasswordLength); err != nil {
		return err
	}
	hash, err := d.passwords.hash(ctx, password, seat{class: classKnown})
	if err != nil {
		return err
	}
	return d.changeLive(ctx, a, store.AddressChange{Password: &hash})
}

// SetState enables or disables an account. Errors: mail.ErrBadAddress, ErrNoSuchAccount, the
// store's.
func (d *Directory) SetState(ctx context.Context, a mail.Address, state store.AddressState) error {
	if state != store.StateEnabled && state != store.StateDisabled {
		return fmt.Errorf("account: %q is not a state", state)
	}
	a, err := canonical(a)
	if err != nil {
		return err
	}
	return d.changeLive(ctx, a, store.AddressChange{State: &state})
}

// RemoveAccount ends an account permanently. Background work removes the messages later, see
// RemovedMailboxes.
//
// RemoveAccount also ends displaced generations: otherwise the newest of them would become the
// account. Errors: mail.ErrBadAddress, ErrNoSuchAccount,
// the store's; the call may be repeated.
func (d *Directory) RemoveAccount(ctx context.Context, a mail.Address) error {
	a, err := canonical(a)
	if err != nil {
		return err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	rows, err := d.store.Local.AddressRows(ctx, a)
	if err != nil {
		return fmt.Errorf("account: look up address: %w", err)
	}
	if !entryOf(rows).isAccount() {
		return fmt.Errorf("account %s: %w", a, ErrNoSuchAccount)
	}
	return d.endRows(ctx, a, rows, func(store.Address) bool { return true })
}

// endRows ends the generations of an address that exist and that ends selects. The caller holds changes.
func (d *Directory) endRows(ctx context.Context, a mail.Address, rows []store.Address, ends func(store.Address) bool) error {
	id, err := store.NextID(ctx, d.store.Local, d.cfg.IDs)
	if err != nil {
		return fmt.Errorf("account: remove %s: %w", a, err)
	}
	removal := laterThan(id, rows)
	shared, err := d.sharedRows(ctx, rows)
	if err != nil {
		return err
	}
	// Older generations first: if this stops halfway, the account is still the same.
	for i, r := range rows {
		if r.Kind == "" || !r.Removed.IsZero() || r.Moved() || !ends(r) {
			continue
		}
		if err := d.change(ctx, a, r.Generation, store.AddressChange{Removed: &removal}); err != nil {
			return err
		}
		if !shared[i] {
			d.ended.Set(r.Mailbox(), struct{}{})
		}
	}
	return nil
}

// changeLive writes columns of the live generation of a canonical address.
func (d *Directory) changeLive(ctx context.Context, a mail.Address, c store.AddressChange) error {
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.live(ctx, a)
	if err != nil {
		return err
	}
	return d.changeAccount(ctx, e, nil, c)
}

// changeAccount writes columns of an account. While a rename has stopped half way, a change under the old address also counts
// for the account of the new address, which a repetition of the rename leaves alone: otherwise a password that an administrator
// has replaced would count again. A login, nil for an administrator, must count for the account of the new address, too. The
// caller holds changes.
func (d *Directory) changeAccount(ctx context.Context, e *entry, l *Login, c store.AddressChange) error {
	for _, a := range e.beside {
		other, err := d.read(ctx, a)
		if err == nil && other.isAccount() && other.mailbox == e.mailbox {
			if l != nil {
				err = l.confirm(other)
			}
			if err == nil {
				err = d.change(ctx, a, other.row.Generation, c)
			}
		}
		if err != nil {
			return err
		}
	}
	return d.change(ctx, e.row.Address, e.row.Generation, c)
}

// live reads the live account of a canonical address.
func (d *Directory) live(ctx context.Context, a mail.Address) (*entry, error) {
	e, err := d.read(ctx, a)
	switch {
	case err != nil:
		return nil, err
	case !e.isAccount():
		return nil, fmt.Errorf("account %s: %w", a, ErrNoSuchAccount)
	}
	return e, nil
}

// change writes columns of one generation and drops the address from the cache.
func (d *Directory) change(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	err := d.durably(ctx, a.Domain, func(st store.Directory) error { return st.ChangeAddress(ctx, a, generation, c) })
	d.forgetAddress(a)
	if err != nil {
		return fmt.Errorf("account: change %s: %w", a, err)
	}
	return nil
}

// nextGeneration names the generation that follows all generations in rows. A rename ends a generation
// without the id of a removal: the generation that follows is the one of the next moment.
func nextGeneration(rows []store.Address) mail.MessageID {
	var last mail.MessageID
	for _, r := range rows {
		end := r.Removed
		if r.Moved() {
			end = later(r.Generation, r.Generation)
		}
		if end.Compare(last) > 0 {
			last = end
		}
	}
	return last
}

// later returns the id of the moment after an id, with the octets behind the time of another id.
func later(id, own mail.MessageID) mail.MessageID {
	key, rest := id.Sibling(0).SortKey(), own.Sibling(0).SortKey()
	binary.BigEndian.PutUint64(key[:8], binary.BigEndian.Uint64(key[:8])+1)
	copy(key[8:], rest[8:])
	return mail.MessageIDFromSortKey(key)
}

// laterThan returns id, or, if a clock that differs made id older than a generation or removal in
// rows, an id just behind all of them: the next generation must be new, and the newest.
func laterThan(id mail.MessageID, rows []store.Address) mail.MessageID {
	last := nextGeneration(rows)
	for _, r := range rows {
		if r.Generation.Compare(last) > 0 {
			last = r.Generation
		}
	}
	if id.Compare(last) > 0 {
		return id
	}
	return later(last, id)
}

func canonical(a mail.Address) (mail.Address, error) {
	a = a.Canonical()
	return a, a.Validate()
}

func (d *Directory) nowMicros() time.Time { return d.cfg.Now().UTC().Truncate(time.Microsecond) }
