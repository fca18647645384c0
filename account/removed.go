package account

import (
	"context"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// pageSize is how many rows or messages are asked of the store at one time.
const pageSize = 500

// RemovedMailbox is the mailbox of a generation that has ended, or that gave way to another.
type RemovedMailbox struct {
	Address mail.Address
	Mailbox mail.MailboxID
	// Removed is the id of the removal; its Time is when it happened.
	Removed mail.MessageID
	// Displaced: nobody removed it, but the account is a newer generation, since both were made
	// by processes that did not hear of each other. Removed is the removal which that follows.
	Displaced bool
}

// RemovedMailboxes calls fn for the mailbox of every generation that has ended or was displaced,
// of every address in the domains, hosted or removed, also those that were emptied long ago. It
// stops at the first error, also of fn, and returns it. A removed domain is left out if skip, which
// may be nil, says so.
//
// Mail that was on its way when the account ended may still arrive in such a mailbox for
// some minutes: whoever empties it has to come back, or to wait that long after Removed.
func (d *Directory) RemovedMailboxes(ctx context.Context, skip func(store.RemovedDomain) bool, fn func(RemovedMailbox) error) error {
	domains, err := d.ListDomains(ctx)
	if err != nil {
		return err
	}
	for _, domain := range domains {
		if err := d.removedIn(ctx, domain.Name, fn); err != nil {
			return err
		}
	}
	removed, err := d.store.Local.RemovedDomains(ctx)
	if err != nil {
		return fmt.Errorf("account: list removed domains: %w", err)
	}
	for _, domain := range removed {
		if skip != nil && skip(domain) {
			continue
		}
		if err := d.removedIn(ctx, domain.Name, fn); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) removedIn(ctx context.Context, domain string, fn func(RemovedMailbox) error) error {
	return d.eachAddress(ctx, domain, "", pageSize, func(rows []store.Address) (bool, error) {
		live := entryOf(rows)
		for _, r := range rows {
			m := RemovedMailbox{
				Address: r.Address,
				Mailbox: mail.DeriveMailboxID(r.Address, r.Generation),
				Removed: r.Removed,
			}
			if r.Removed.IsZero() {
				if r.Kind == "" || r.Generation == live.row.Generation {
					continue
				}
				m.Removed, m.Displaced = live.row.Generation, true
			}
			if err := fn(m); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// eachAddress calls fn with all the rows of one address at a time, from behind the
// local-part after, until fn returns false or an error.
func (d *Directory) eachAddress(ctx context.Context, domain, after string, page int, fn func([]store.Address) (bool, error)) error {
	for more := true; more; {
		var rows []store.Address
		var err error
		rows, more, err = d.store.Local.ListAddresses(ctx, domain, after, page)
		if err != nil {
			return fmt.Errorf("account: list addresses of %s: %w", domain, err)
		}
		if len(rows) == 0 {
			return nil
		}
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && rows[n].Address.Local == rows[0].Address.Local {
				n++
			}
			after = rows[0].Address.Local
			if ok, err := fn(rows[:n]); err != nil || !ok {
				return err
			}
			rows = rows[n:]
		}
	}
	return nil
}
