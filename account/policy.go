package account

import (
	"context"
	"time"

	"popelago/mail"
	"popelago/store"
)

// settings returns what is set for a domain by its canonical name, cached like addresses.
// For one that is not hosted (any more) that is nothing.
func (d *Directory) settings(ctx context.Context, name string) (store.Domain, error) {
	if domain, ok := d.domainCache.get(name, d.cfg.Now()); ok {
		return domain, nil
	}
	return d.readDomain(ctx, d.store.Local, name)
}

// durability is what writes for a domain have to reach, read from the store.
func (d *Directory) durability(ctx context.Context, name string) (mail.Durability, error) {
	domain, err := d.settings(ctx, name)
	return domain.Durability.Durability(d.cfg.Durability), err
}

// retention is how long messages of an account stay; zero: for ever.
func retention(row store.Address, domain store.Domain) time.Duration {
	if row.Retention != 0 {
		return max(row.Retention, 0)
	}
	return domain.Retention
}

// durably makes a change of something in a domain, as durable as the domain asks for. Nothing
// tells the caller how far it got but the log.
func (d *Directory) durably(ctx context.Context, domain string, write func(store.Directory) error) error {
	durability, err := d.durability(ctx, domain)
	if err != nil {
		return err
	}
	return d.write(domain, durability, write)
}

// write makes a change as durable as asked for.
func (d *Directory) write(domain string, durability mail.Durability, write func(store.Directory) error) error {
	reached, err := d.store.Durably(durability, write)
	if reached == mail.ReachedFallback {
		d.cfg.Logger.Warn("a change of the directory was stored in the local datacenter only: another cannot be reached", "domain", domain)
	}
	return err
}
