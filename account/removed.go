package account

import (
	"context"
	"fmt"
	"slices"

	"popelago/mail"
	"popelago/store"
)

// pageSize is the number of rows read from the store at one time.
const pageSize = 500

// RemovedMailboxes calls fn with every ended and every displaced generation of all addresses of
// all domains, hosted or removed, whether or not the mailbox has been emptied. Retention is not set.
// The walk stops at the first error of fn, and returns the error. The walk goes on behind parts of the directory that cannot be read, and
// returns an UnreadError then. The walk omits a removed domain if skip, which may be nil, returns true.
//
// Mail that was in flight when the account ended may arrive in such a mailbox for some minutes
// after Generation.End: background work has to empty the mailbox again later.
func (d *Directory) RemovedMailboxes(ctx context.Context, skip func(store.RemovedDomain) bool, fn func(Generation) error) error {
	names, err := d.everyDomain(ctx, skip)
	unread := &UnreadError{}
	if err := unread.AddList(ctx, len(names), err); err != nil {
		return err
	}
	for _, name := range names {
		if err := d.removedIn(ctx, name, "", unread.Adder(ctx), fn); err != nil {
			return err
		}
	}
	return unread.OrNil()
}

// RemovedMailboxesBehind is RemovedMailboxes from behind a canonical address; the zero address: from the
// start. The walk stops at the first error. The walk has the order of the names of the domains, hosted or removed, then the
// store's order of addresses, then the order of generations. So the end of a domain between two walks moves no address.
func (d *Directory) RemovedMailboxesBehind(ctx context.Context, after mail.Address, skip func(store.RemovedDomain) bool, fn func(Generation) error) error {
	names, err := d.everyDomain(ctx, skip)
	if err != nil {
		return err
	}
	for _, name := range names {
		local := ""
		switch {
		case name < after.Domain:
			continue
		case name == after.Domain:
			local = after.Local
		}
		if err := d.removedIn(ctx, name, local, func(err error) error { return err }, fn); err != nil {
			return err
		}
	}
	return nil
}

// everyDomain returns the names of all domains, hosted or removed, in their order. skip is as for
// RemovedMailboxes. Beside an error the names are those that can be read.
func (d *Directory) everyDomain(ctx context.Context, skip func(store.RemovedDomain) bool) (names []string, err error) {
	domains, err := d.ListDomains(ctx)
	for _, domain := range domains {
		names = append(names, domain.Name)
	}
	removed, removedErr := d.store.Local.RemovedDomains(ctx)
	if removedErr != nil && err == nil {
		err = fmt.Errorf("account: list removed domains: %w", removedErr)
	}
	for _, domain := range removed {
		if skip == nil || !skip(domain) {
			names = append(names, domain.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err // a domain may have been removed, or made again, between the two reads
}

// removedIn is RemovedMailboxes in one domain, from behind a local-part. note is as for EachReadable.
func (d *Directory) removedIn(ctx context.Context, domain, after string, note func(error) error, fn func(Generation) error) error {
	return EachReadable(ctx, d.store.Local.ListAddresses, domain, after, pageSize, note, func(rows []store.Address) (bool, error) {
		for _, g := range Generations(rows, Keeping{}) {
			if g.Status != Ended && g.Status != Displaced {
				continue
			}
			shared, err := Shared(ctx, d.store.Local, g, rows)
			if err != nil {
				if err := note(err); err != nil {
					return false, err
				}
				continue
			}
			if shared {
				continue
			}
			if err := fn(g); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// eachAddress is EachAddress from the local datacenter.
func (d *Directory) eachAddress(ctx context.Context, domain, after string, page int, fn func([]store.Address) (bool, error)) error {
	return EachAddress(ctx, d.store.Local.ListAddresses, domain, after, page, fn)
}
