package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"popelago/mail"
	"popelago/store"
)

// MinRetention is the shortest retention that a setting may have. Shorter ones are mistakes.
const MinRetention = mail.Retention(time.Hour)

// ErrBadSetting: the value of a setting of a domain or account is impossible.
var ErrBadSetting = errors.New("setting cannot be used")

// SetRetention sets the retention of an account. Older messages disappear at once, and background
// work removes them permanently. A call that fails may leave LeastRetention lower than necessary
// until the next walk.
//
// Errors: mail.ErrBadAddress, ErrBadSetting, ErrNoSuchAccount, the store's.
func (d *Directory) SetRetention(ctx context.Context, a mail.Address, retention mail.Retention) error {
	a, err := canonical(a)
	if err != nil {
		return err
	}
	return d.changeOwn(ctx, a, nil, store.AddressChange{Retention: &retention})
}

// ChangeDomain writes settings of a hosted domain. The settings count at once in this process, and
// within Config.CacheTTL in other processes. The change has the new durability of the domain: so a
// domain can get a lower durability while a datacenter is unreachable.
//
// Errors: mail.ErrBadAddress, ErrBadSetting, ErrBadTarget, ErrDomainInUse, ErrNoSuchDomain, the store's.
func (d *Directory) ChangeDomain(ctx context.Context, name string, c store.DomainChange) (store.Domain, error) {
	name, err := mail.CanonicalDomain(name)
	if err != nil {
		return store.Domain{}, err
	}
	if err := checkDomainChange(&c); err != nil {
		return store.Domain{}, err
	}
	elsewhere, err := d.realElsewhere(ctx, name, c.Settings)
	if err != nil {
		return store.Domain{}, err
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	domain, err := d.Domain(ctx, name)
	if err != nil {
		return store.Domain{}, err
	}
	if len(c.Settings) > 0 {
		c.Settings = maps.Clone(c.Settings)
		if err := d.checkRouting(ctx, domain, c.Settings, elsewhere); err != nil {
			return store.Domain{}, err
		}
	}
	if c.Durability != nil {
		domain.Durability = *c.Durability
	}
	if c.Retention != nil {
		domain.Retention = *c.Retention
	}
	domain.Settings = withSettings(domain.Settings, c.Settings)
	if c.Settings[SettingRetentionMin] != "" || c.Settings[SettingRetentionMax] != "" {
		if err := d.Keeping(domain).contradicts(); err != nil {
			return store.Domain{}, err
		}
	}
	err = d.write(name, domain.Durability.Or(d.cfg.Durability), func(st store.Directory) error { return st.ChangeDomain(ctx, name, c) })
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

// checkDomainChange also stores every retention without an end as mail.AsDomain.
func checkDomainChange(c *store.DomainChange) error {
	if c.Durability != nil {
		if _, err := mail.ParseDurability(c.Durability.String()); err != nil {
			return fmt.Errorf("%w: %w", ErrBadSetting, err)
		}
	}
	if c.Retention != nil {
		retention, err := checkRetention(max(*c.Retention, mail.AsDomain))
		if err != nil {
			return err
		}
		c.Retention = &retention
	}
	return nil
}

// checkOwnRetention is checkRetention for an account, whose retention may also have no end.
func checkOwnRetention(retention mail.Retention) (mail.Retention, error) {
	if retention < 0 {
		return mail.Forever, nil
	}
	return checkRetention(retention)
}

// checkRetention also rounds a retention down to microseconds, which the store keeps.
func checkRetention(retention mail.Retention) (mail.Retention, error) {
	if retention.Ends() && retention < MinRetention {
		return 0, fmt.Errorf("%w: a retention of %v: at least %v", ErrBadSetting, retention, MinRetention)
	}
	return mail.RetentionMicroseconds(retention.Microseconds()), nil
}
