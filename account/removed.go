package account

import (
	"context"
	"fmt"

	"popelago/store"
)

// pageSize is the number of rows read from the store at one time.
const pageSize = 500

// RemovedMailboxes calls fn with every ended and every displaced generation of all addresses of
// all domains, hosted or removed, whether or not the mailbox has been emptied. Retention is not set.
// The walk stops at the first error, also of fn, and returns the error. The walk omits a removed
// domain if skip, which may be nil, returns true.
//
// Mail that was in flight when the account ended may arrive in such a mailbox for some minutes
// after Generation.End: background work has to empty the mailbox again later.
func (d *Directory) RemovedMailboxes(ctx context.Context, skip func(store.RemovedDomain) bool, fn func(Generation) error) error {
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

func (d *Directory) removedIn(ctx context.Context, domain string, fn func(Generation) error) error {
	return d.eachAddress(ctx, domain, "", pageSize, func(rows []store.Address) (bool, error) {
		for _, g := range Generations(rows, Keeping{}) {
			if g.Status != Ended && g.Status != Displaced {
				continue
			}
			if shared, err := Shared(ctx, d.store.Local, g, rows); err != nil {
				return false, err
			} else if shared {
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
