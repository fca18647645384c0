package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
)

// ErrTwice: a call of Import names an address more than once.
var ErrTwice = errors.New("named more than once")

// ErrChanged: the account has changed since the caller read it.
var ErrChanged = errors.New("the account has changed meanwhile")

// Import makes and changes accounts, many at one time.
const (
	// ImportLimit is the largest number of accounts of one call of Import.
	ImportLimit = 1000
	// importAtOnce is the number of accounts that a call reads and writes at the same time.
	importAtOnce = 32
	// importClass is the class in which hashes of an import wait, in the network importNetwork. A large import keeps many
	// hashes waiting for minutes. In classKnown they would leave only every lowestEvery-th turn to the logins of the classes
	// below, and under an attack no turn to clean clients.
	importClass = classClean
)

// importNetwork stands for all imports in the queue of hashes. No client has this network: the zero network is that of
// logins from this machine and from trusted networks, which would wait behind an import.
func importNetwork() netip.Prefix { return netip.PrefixFrom(netip.IPv6Unspecified(), 128) }

// importSeat is the claim of an import to a turn.
func importSeat() seat { return seat{from: client{network: importNetwork()}, class: importClass} }

// Wanted describes an account as it should be. Parts that are absent stay as they are.
type Wanted struct {
	Address mail.Address
	// Password in clear text, or Hash, the stored form of a password, see CheckHash. Both empty: the
	// password stays; a new account has none, and nobody can log in.
	Password, Hash string
	// State; empty: as it is, and enabled for a new account.
	State store.AddressState
	// Settings by name, as SetAccountSettings takes them.
	Settings map[string]string
	// Unchanged is called with the account before a change. An error prevents the change. Nil: any account.
	Unchanged func(Account) error
}

// Outcome is the outcome of an import for one account.
type Outcome string

// The outcomes.
const (
	OutcomeMade      Outcome = "made"
	OutcomeChanged   Outcome = "changed"
	OutcomeUnchanged Outcome = "unchanged"
	OutcomeRefused   Outcome = "refused" // see Imported.Err
)

// Parts of an account that Imported.Changes names, beside settings.
const (
	PartPassword = "password"
	PartState    = "state"
)

// Imported reports the import of one account.
type Imported struct {
	Outcome Outcome
	// Changes names the parts that differ from the account before: PartPassword, PartState, and settings.
	Changes []string
	// NoPassword: the account is made, and has no password.
	NoPassword bool
	// Err is the reason of OutcomeRefused: an error of AddAccount and SetAccountSettings, ErrTwice, ErrChanged,
	// or one of Wanted.Unchanged. After an error of the store the account may have been written; a repetition
	// tells.
	Err error
}

// Import makes accounts that do not exist, and changes accounts that differ from their description. A
// repetition changes nothing. The result has the order of wanted. With dry set Import writes nothing, and
// reports what it would do.
//
// A password in clear text costs a hash, also to compare it with the stored one. Errors concern single
// accounts, and stand in the result.
func (d *Directory) Import(ctx context.Context, wanted []Wanted, dry bool) []Imported {
	list := make([]*importing, len(wanted))
	seen := map[mail.Address]bool{}
	for i, w := range wanted {
		list[i] = d.importing(w)
		if a := list[i].address; list[i].done.Err == nil && seen[a] {
			list[i].refuse(fmt.Errorf("account %s: %w", a, ErrTwice))
		} else {
			seen[a] = true
		}
	}
	d.eachOf(list, func(w *importing) error { return d.prepare(ctx, w) })
	d.importRows(ctx, list, dry)
	results := make([]Imported, len(list))
	for i, w := range list {
		results[i] = w.done
	}
	return results
}

// importRows reads the rows again and writes. The rows of an import cannot change in this process meanwhile.
func (d *Directory) importRows(ctx context.Context, list []*importing, dry bool) {
	d.changes.Lock()
	defer d.changes.Unlock()
	d.checkDomains(ctx, list)
	if !dry {
		d.lowerLeastOf(ctx, list)
	}
	d.eachOf(list, func(w *importing) error {
		if err := d.judgeWanted(ctx, w); err != nil || dry || w.done.Outcome == OutcomeUnchanged {
			return err
		}
		if w.live != nil {
			return d.changeAccount(ctx, w.live, nil, w.change)
		}
		return d.change(ctx, w.address, w.generation, w.change)
	})
}

// checkDomains refuses accounts of domains that are not hosted.
func (d *Directory) checkDomains(ctx context.Context, list []*importing) {
	hosted := map[string]error{}
	for _, w := range list {
		if w.done.Err != nil {
			continue
		}
		err, known := hosted[w.address.Domain]
		if !known {
			err = d.hosted(ctx, w.address.Domain)
			hosted[w.address.Domain] = err
		}
		if err != nil {
			w.refuse(err)
		}
	}
}

// lowerLeastOf lowers the least retention once for all accounts of an import. An error refuses the accounts with a
// retention of their own.
func (d *Directory) lowerLeastOf(ctx context.Context, list []*importing) {
	least := mail.AsDomain
	for _, w := range list {
		if w.done.Err == nil {
			least = least.Shorter(leastOfChange(w.change))
		}
	}
	if err := d.lowerLeastLocked(ctx, least); err != nil {
		for _, w := range list {
			if w.done.Err == nil && leastOfChange(w.change).Ends() {
				w.refuse(err)
			}
		}
	}
}

// eachOf calls do for the accounts that are not refused, several at the same time. An error refuses the
// account.
func (d *Directory) eachOf(list []*importing, do func(*importing) error) {
	var group errgroup.Group
	group.SetLimit(importAtOnce)
	for _, w := range list {
		if w.done.Err != nil {
			continue
		}
		group.Go(func() error {
			if err := do(w); err != nil {
				w.refuse(err)
			}
			return nil
		})
	}
	_ = group.Wait() // no call returns an error
}

// importing is an account on its way through Import.
type importing struct {
	Wanted
	address mail.Address // canonical
	texts   map[string]string
	hash    string // the hash to be stored, if the password differs from before
	before  string // the hash that was compared
	// elsewhere holds the rows of rowsElsewhere.
	elsewhere []store.Address
	done      Imported

	live       *entry         // the account; nil: a new one
	generation mail.MessageID // of a new account
	change     store.AddressChange
}

func (w *importing) refuse(err error) { w.done = Imported{Outcome: OutcomeRefused, Err: err} }

// importing checks a description as far as it goes without the store.
func (d *Directory) importing(w Wanted) *importing {
	i := &importing{Wanted: w}
	err := i.check(d)
	if err != nil {
		i.refuse(err)
	}
	return i
}

func (w *importing) check(d *Directory) (err error) {
	if w.address, err = canonical(w.Address); err != nil {
		return err
	}
	switch {
	case w.Password != "" && w.Hash != "":
		return fmt.Errorf("%w: it has a password and a hash of one", ErrBadPassword)
	case w.Password != "":
		err = checkPassword(w.Password, d.cfg.MinPasswordLength)
	case w.Hash != "":
		w.Hash = withoutScheme(w.Hash)
		err = d.passwords.checkHash(w.Hash)
	}
	if err != nil {
		return err
	}
	if w.State != "" && w.State != store.StateEnabled && w.State != store.StateDisabled {
		return fmt.Errorf("%w: %.60q is not a state", ErrBadSetting, w.State)
	}
	w.change, w.texts, err = d.accountChange(w.Settings)
	return err
}

// prepare makes the hash of a password, and asks the other datacenters about an address without an account here.
func (d *Directory) prepare(ctx context.Context, w *importing) error {
	w.hash = w.Hash
	if w.Password == "" && !d.store.Several {
		return nil
	}
	e, err := d.read(ctx, w.address)
	if err != nil {
		return err
	}
	if w.Password != "" {
		if err := d.hashWanted(ctx, w, e); err != nil {
			return err
		}
	}
	if e == nil {
		w.elsewhere, err = d.rowsElsewhere(ctx, w.address)
	}
	return err
}

// hashWanted makes the hash of a password, unless the account e has the password already.
func (d *Directory) hashWanted(ctx context.Context, w *importing, e *entry) (err error) {
	if e.isAccount() && e.row.Password != "" {
		w.before = e.row.Password
		switch same, err := d.passwords.same(ctx, e.row, w.Password, importSeat()); {
		case err != nil:
			return err
		case same:
			return nil
		}
	}
	w.hash, err = d.passwords.hash(ctx, w.Password, importSeat())
	return err
}

// judgeWanted compares the description with the account, and completes the change.
func (d *Directory) judgeWanted(ctx context.Context, w *importing) error {
	rows, err := d.rowsHere(ctx, w.address, w.elsewhere)
	if err != nil {
		return err
	}
	e := entryOf(rows)
	switch {
	case e == nil:
		return d.judgeNew(w, rows)
	case !e.isAccount():
		return fmt.Errorf("%s %s: %w", e.row.Kind, w.address, ErrExists)
	case w.Unchanged != nil:
		if err := w.Unchanged(accountOf(e)); err != nil {
			return err
		}
	}
	w.live = e
	switch {
	case w.Password != "" && e.row.Password != w.before:
		return fmt.Errorf("%s: %w: its password is another one", w.address, ErrChanged)
	case w.hash != "" && w.hash != e.row.Password:
		w.note(PartPassword)
		w.change.Password = &w.hash
	}
	if w.State != "" && w.State != accountOf(e).State {
		w.note(PartState)
		w.change.State = &w.State
	}
	w.dropSame(addressTexts(e.row))
	w.done.Outcome = OutcomeUnchanged
	if len(w.done.Changes) > 0 {
		w.done.Outcome = OutcomeChanged
	}
	return nil
}

// judgeNew completes the change that makes an account.
func (d *Directory) judgeNew(w *importing, rows []store.Address) error {
	if w.Unchanged != nil {
		return fmt.Errorf("account %s: %w", w.address, ErrNoSuchAccount)
	}
	if w.Password != "" && w.hash == "" {
		return fmt.Errorf("%s: %w: it has ended", w.address, ErrChanged)
	}
	kind, state, created := store.KindAccount, w.State, d.nowMicros()
	if state == "" {
		state = store.StateEnabled
	}
	w.generation = nextGeneration(rows)
	w.change.Kind, w.change.State, w.change.Created, w.change.Password = &kind, &state, &created, &w.hash
	w.dropSame(nil)
	w.done = Imported{Outcome: OutcomeMade, Changes: w.done.Changes, NoPassword: w.hash == ""}
	return nil
}

func (w *importing) note(part string) { w.done.Changes = append(w.done.Changes, part) }

// dropSame takes the settings out of the change that the account has already, and notes the others.
func (w *importing) dropSame(own map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(w.texts)) {
		switch {
		case w.texts[name] != own[name]:
			w.note(name)
		case name == settingRetention:
			w.change.Retention = nil
		default:
			delete(w.change.Settings, name)
		}
	}
}
