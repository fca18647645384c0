package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// sharedLimit limits the addresses that Shared reads for one mailbox.
const sharedLimit = 100

// Shared reports whether an account other than a generation has the mailbox of the generation: a rename has
// stopped half way, or two datacenters have renamed the account at the same time. rows are the rows of the
// generation's address.
//
// Shared follows the aliases that a rename leaves behind, and the origin of the mailbox. Beyond sharedLimit
// addresses Shared reports true, so that nothing is removed. An address that was never renamed costs no read.
//
// Errors: the store's.
func Shared(ctx context.Context, st store.Addresses, g Generation, rows []store.Address) (bool, error) {
	known := map[mail.Address]bool{g.Row.Address: true}
	for next := []mail.Address(nil); ; next = next[1:] {
		for _, r := range rows {
			other := r.Address != g.Row.Address || r.Generation != g.Row.Generation
			if other && r.Kind == store.KindAccount && r.Removed.IsZero() && !r.Moved() && r.Mailbox() == g.Mailbox {
				return true, nil
			}
			for _, a := range leadsOf(r) {
				if !known[a] {
					known[a] = true
					next = append(next, a)
				}
			}
		}
		switch {
		case len(next) == 0:
			return false, nil
		case len(known) > sharedLimit:
			return true, nil
		}
		var err error
		if rows, err = st.AddressRows(ctx, next[0]); err != nil {
			return false, fmt.Errorf("account: read address %s: %w", next[0], err)
		}
	}
}

// leadsOf returns the addresses that may have the mailbox of a row.
func leadsOf(r store.Address) []mail.Address {
	var leads []mail.Address
	if r.Kind == store.KindAccount || r.Kind == store.KindAlias {
		leads = slices.Clone(r.Targets)
	}
	if r.Origin != (store.Origin{}) {
		leads = append(leads, r.Origin.Address)
	}
	return leads
}

// sharedRows reports for each row of an address whether its mailbox is shared.
func (d *Directory) sharedRows(ctx context.Context, rows []store.Address) ([]bool, error) {
	shared := make([]bool, len(rows))
	for i, r := range rows {
		var err error
		if shared[i], err = Shared(ctx, d.store.Local, Generation{Row: r, Mailbox: r.Mailbox()}, rows); err != nil {
			return nil, err
		}
	}
	return shared, nil
}

// SharesMailbox reports whether a mailbox of a generation of an address, live or ended, belongs to another account
// too, see Shared. Every datacenter is asked: another one may have renamed the account a moment ago. Errors:
// mail.ErrBadAddress, ErrNoSuchAccount if the address never had the mailbox, the store's.
func (d *Directory) SharesMailbox(ctx context.Context, a mail.Address, mailbox mail.MailboxID) (bool, error) {
	a, err := canonical(a)
	if err != nil {
		return false, err
	}
	if !d.store.Several {
		return d.sharesMailbox(ctx, a, mailbox)
	}
	if d.rests() {
		return false, fmt.Errorf("account: another datacenter was silent a moment ago: %w", store.ErrUnavailable)
	}
	wait, cancel := context.WithTimeout(ctx, makingWait)
	defer cancel()
	shared, err := d.sharesMailbox(wait, a, mailbox)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		d.silent.Store(new(time.Now()))
	}
	return shared, err
}

// sharesMailbox is SharesMailbox without a limit of time, for a canonical address.
func (d *Directory) sharesMailbox(ctx context.Context, a mail.Address, mailbox mail.MailboxID) (bool, error) {
	rows, err := d.store.Each.AddressRows(ctx, a)
	if err != nil {
		return false, fmt.Errorf("account: look up address: %w", err)
	}
	i := slices.IndexFunc(rows, func(r store.Address) bool { return r.Kind == store.KindAccount && r.Mailbox() == mailbox })
	if i < 0 {
		return false, fmt.Errorf("account %s with the mailbox %s: %w", a, mailbox, ErrNoSuchAccount)
	}
	return Shared(ctx, d.store.Each, Generation{Row: rows[i], Mailbox: mailbox}, rows)
}
