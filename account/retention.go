package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Forever is a retention without end.
const Forever = -time.Microsecond

// MinRetention is the shortest retention there can be. Shorter ones are mistakes.
const MinRetention = time.Hour

// ErrBadSetting: a setting of a domain or account that there cannot be.
var ErrBadSetting = errors.New("setting cannot be used")

// SetRetention says how long messages of an account stay at most: Forever, or zero for as long
// as its domain says. What is older disappears at once, and is removed for good by and by. A call
// that fails may leave LeastRetention lower than it need be until the next walk.
//
// Errors: mail.ErrBadAddress, ErrBadSetting, ErrNoSuchAccount, the store's.
func (d *Directory) SetRetention(ctx context.Context, a mail.Address, retention time.Duration) error {
	a, err := canonical(a)
	if err != nil {
		return err
	}
	if retention < 0 {
		retention = Forever
	} else if retention, err = checkRetention(retention); err != nil {
		return err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.live(ctx, a)
	if err != nil {
		return err
	}
	if err := d.lowerLeastLocked(ctx, retention); err != nil {
		return err
	}
	if err := d.change(ctx, a, e.row.Generation, store.AddressChange{Retention: &retention}); err != nil {
		return err
	}
	d.least.saw(retention)
	return nil
}

// ChangeDomain writes settings of a hosted domain. They count at once in this process, elsewhere
// within Config.CacheTTL. The change itself is as durable as the domain is set to be by it: so
// less can be asked for while a datacenter is away.
//
// Errors: mail.ErrBadAddress, ErrBadSetting, ErrNoSuchDomain, the store's.
func (d *Directory) ChangeDomain(ctx context.Context, name string, c store.DomainChange) (store.Domain, error) {
	name, err := mail.CanonicalDomain(name)
	if err != nil {
		return store.Domain{}, err
	}
	if err := checkDomainChange(&c); err != nil {
		return store.Domain{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	domain, err := d.Domain(ctx, name)
	if err != nil {
		return store.Domain{}, err
	}
	if c.Durability != nil {
		domain.Durability = *c.Durability
	}
	if c.Retention != nil {
		domain.Retention = *c.Retention
	}
	err = d.write(name, domain.Durability.Durability(d.cfg.Durability), func(st store.Directory) error { return st.ChangeDomain(ctx, name, c) })
	d.forgetDomain(name)
	if err != nil {
		return store.Domain{}, fmt.Errorf("account: change domain %s: %w", name, err)
	}
	return domain, nil
}

// Domain returns one hosted domain, read from the store. Errors: mail.ErrBadAddress,
// ErrNoSuchDomain, the store's.
func (d *Directory) Domain(ctx context.Context, name string) (store.Domain, error) {
	name, err := mail.CanonicalDomain(name)
	if err != nil {
		return store.Domain{}, err
	}
	domain, err := d.store.Local.Domain(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Domain{}, fmt.Errorf("domain %s: %w", name, ErrNoSuchDomain)
	case err != nil:
		return store.Domain{}, fmt.Errorf("account: read domain %s: %w", name, err)
	}
	return domain, nil
}

// checkDomainChange also makes for ever what has no end.
func checkDomainChange(c *store.DomainChange) error {
	if c.Durability != nil {
		switch *c.Durability {
		case "", store.DurabilityLocal, store.DurabilityEach, store.DurabilityEachOrLocal:
		default:
			return fmt.Errorf("%w: durability %q", ErrBadSetting, *c.Durability)
		}
	}
	if c.Retention != nil {
		retention, err := checkRetention(max(*c.Retention, 0))
		if err != nil {
			return err
		}
		c.Retention = &retention
	}
	return nil
}

// checkRetention also cuts off what cannot be stored.
func checkRetention(retention time.Duration) (time.Duration, error) {
	if retention > 0 && retention < MinRetention {
		return 0, fmt.Errorf("%w: a retention of %v: at least %v", ErrBadSetting, retention, MinRetention)
	}
	return retention.Truncate(time.Microsecond), nil
}
