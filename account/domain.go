package account

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"popelago/mail"
	"popelago/store"
)

// checkHosted refuses names that no mail can be for: the last label of a domain name in the Internet has a letter (RFC 3696
// section 2), and 192.0.2.1 is an address without its brackets. Errors: mail.ErrBadAddress.
func checkHosted(name string) error {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("%w: %s is not a domain name: its last part has only digits", mail.ErrBadAddress, name)
	}
	return nil
}

// AddDomain starts hosting a domain, without settings. A domain that another datacenter has added on the other side of
// a cut keeps its settings. Errors: mail.ErrBadAddress, ErrExists, the store's.
func (d *Directory) AddDomain(ctx context.Context, name string) (store.Domain, error) {
	name, err := mail.CanonicalDomain(name)
	if err != nil {
		return store.Domain{}, err
	}
	if err := checkHosted(name); err != nil {
		if d.hosted(ctx, name) == nil { // since before the rule
			err = fmt.Errorf("domain %s: %w", name, ErrExists)
		}
		return store.Domain{}, err
	}
	if err := d.noDomainElsewhere(ctx, name); err != nil {
		return store.Domain{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	switch _, err := d.store.Local.Domain(ctx, name); {
	case err == nil:
		return store.Domain{}, fmt.Errorf("domain %s: %w", name, ErrExists)
	case !errors.Is(err, store.ErrNotFound):
		return store.Domain{}, fmt.Errorf("account: read domain %s: %w", name, err)
	}
	domain := store.Domain{Name: name, Created: d.nowMicros()}
	err = d.durably(ctx, name, func(st store.Directory) error { return st.PutDomain(ctx, domain) })
	d.forgetDomain(name)
	if err != nil {
		return store.Domain{}, fmt.Errorf("account: add domain %s: %w", name, err)
	}
	return domain, nil
}

// ListDomains returns the hosted domains by name. While a part of the store cannot be read, the list beside ErrSomeDomains has the
// domains of the other parts: a domain that the list lacks may be hosted.
func (d *Directory) ListDomains(ctx context.Context) ([]store.Domain, error) {
	domains, err := d.store.Local.ListDomains(ctx)
	switch {
	case err != nil && len(domains) > 0:
		return domains, fmt.Errorf("account: list domains: %w: %w", ErrSomeDomains, err)
	case err != nil:
		return nil, fmt.Errorf("account: list domains: %w", err)
	}
	return domains, nil
}

// RemoveDomain stops hosting a domain that has no live accounts, aliases and groups, and that no domain
// stands for. Messages left in the mailboxes of its
// removed accounts stay for RemovedMailboxes: some messages may have been accepted after the end of
// their account. Every datacenter is asked about addresses in the domain, and about domains that stand for it: an account made elsewhere a moment ago would lose its
// mail to "relaying denied". So no domain is removed while a datacenter cannot be reached.
//
// Errors: ErrNoSuchDomain, ErrDomainNotEmpty, ErrDomainInUse, the store's. The call may be repeated.
func (d *Directory) RemoveDomain(ctx context.Context, name string) error {
	name, err := mail.CanonicalDomain(name)
	if err != nil {
		return err
	}
	if d.store.Several {
		if err := d.hosted(ctx, name); err != nil {
			return err
		}
		if err := noneStandsFor(ctx, d.store.Each, name); err != nil {
			return err
		}
		if err := noAddress(ctx, d.store.Each, name); err != nil {
			return err
		}
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	if err := d.hosted(ctx, name); err != nil {
		return err
	}
	if err := noneStandsFor(ctx, d.store.Local, name); err != nil {
		return err
	}
	if err := noAddress(ctx, d.store.Local, name); err != nil {
		return err
	}
	err = d.durably(ctx, name, func(st store.Directory) error { return st.RemoveDomain(ctx, name) })
	d.forgetDomain(name)
	if err != nil {
		return fmt.Errorf("account: remove domain %s: %w", name, err)
	}
	return nil
}

// noAddress returns ErrDomainNotEmpty if a domain has a live account, alias or group.
func noAddress(ctx context.Context, st store.Directory, domain string) error {
	return EachAddress(ctx, st.ListAddresses, domain, "", pageSize, func(rows []store.Address) (bool, error) {
		if entryOf(rows) != nil {
			return false, fmt.Errorf("domain %s: %w", domain, ErrDomainNotEmpty)
		}
		return true, nil
	})
}

// hosted returns ErrNoSuchDomain if no domain with the canonical name is hosted here.
func (d *Directory) hosted(ctx context.Context, name string) error {
	_, err := d.Domain(ctx, name)
	return err
}
