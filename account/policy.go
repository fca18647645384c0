package account

import (
	"context"
	"maps"

	"popelago/mail"
	"popelago/store"
)

// settings returns the settings of a domain by its canonical name, cached like addresses; the zero
// value if the domain is not hosted.
func (d *Directory) settings(ctx context.Context, name string) (store.Domain, error) {
	if domain, ok := d.domainCache.get(name, d.cfg.Now()); ok {
		return domain, nil
	}
	return d.readDomain(ctx, d.store.Local, name)
}

// withSettings returns settings after a change. The result may be settings, which is not changed.
func withSettings(settings, change map[string]string) map[string]string {
	if len(change) == 0 {
		return settings
	}
	changed := make(map[string]string, len(settings)+len(change))
	maps.Copy(changed, settings)
	maps.Copy(changed, change)
	maps.DeleteFunc(changed, func(_, value string) bool { return value == "" })
	return changed
}

// durability returns the durability of writes for a domain.
func (d *Directory) durability(ctx context.Context, name string) (mail.Durability, error) {
	domain, err := d.settings(ctx, name)
	return domain.Durability.Or(d.cfg.Durability), err
}

// durably makes a change in a domain with the durability of the domain. Only the log shows the
// durability that the change reached.
func (d *Directory) durably(ctx context.Context, domain string, write func(store.Directory) error) error {
	durability, err := d.durability(ctx, domain)
	if err != nil {
		return err
	}
	return d.write(domain, durability, write)
}

// write makes a change in a domain with a durability.
func (d *Directory) write(domain string, durability mail.Durability, write func(store.Directory) error) error {
	reached, err := d.store.Durably(durability, write)
	if reached == mail.ReachedFallback {
		d.cfg.Logger.Warn("a change of the directory was stored in the local datacenter only: another datacenter cannot be reached", "domain", domain)
	}
	return err
}
