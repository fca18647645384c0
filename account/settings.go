package account

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"popelago/mail"
	"popelago/store"
)

// textNone is the text that removes a setting, as the empty text does.
const textNone = "none"

// AccountSettings shows the settings of a live account, read from the store. Errors: mail.ErrBadAddress,
// ErrNoSuchAccount, the store's.
func (d *Directory) AccountSettings(ctx context.Context, a mail.Address) (SettingsView, error) {
	a, err := canonical(a)
	if err != nil {
		return SettingsView{}, err
	}
	e, err := d.live(ctx, a)
	if err != nil {
		return SettingsView{}, err
	}
	domain, err := d.Domain(ctx, a.Domain)
	if err != nil {
		return SettingsView{}, err
	}
	return d.accountView(e.row, domain), nil
}

// DomainSettings shows the settings of a hosted domain, read from the store. Errors: mail.ErrBadAddress,
// ErrNoSuchDomain, the store's.
func (d *Directory) DomainSettings(ctx context.Context, name string) (SettingsView, error) {
	domain, err := d.Domain(ctx, name)
	if err != nil {
		return SettingsView{}, err
	}
	return d.domainView(domain), nil
}

// SetAccountSettings changes settings of a live account, by name. An empty text or "none" removes a setting,
// so that the setting of the domain counts. The settings count at once in this process, and within
// Config.CacheTTL in other processes.
//
// Errors: mail.ErrBadAddress, ErrBadSetting, ErrNoSuchAccount, the store's.
func (d *Directory) SetAccountSettings(ctx context.Context, a mail.Address, texts map[string]string) error {
	a, err := canonical(a)
	if err != nil {
		return err
	}
	c, _, err := d.accountChange(texts)
	if err != nil {
		return err
	}
	return d.changeOwn(ctx, a, nil, c)
}

// accountChange reads settings of an account, by name. canonical holds them in the form of addressTexts; a
// setting to be removed has an empty text. Errors: ErrBadSetting.
func (d *Directory) accountChange(texts map[string]string) (c store.AddressChange, canonical map[string]string, err error) {
	c.Settings, canonical = map[string]string{}, map[string]string{}
	err = d.readSettings(texts, func(s Setting, p Policy, text string) error {
		canonical[s.Name] = text
		switch {
		case !s.Account:
			return fmt.Errorf("%w: %s is a setting of domains", ErrBadSetting, s.Name)
		case s.inAddress != nil:
			s.inAddress(&c, p)
		default:
			c.Settings[s.Name] = text
		}
		return nil
	})
	if err != nil || c.Retention == nil {
		return c, canonical, err
	}
	retention, err := checkOwnRetention(*c.Retention)
	c.Retention = &retention
	if retention != mail.AsDomain {
		canonical[settingRetention] = retention.String()
	}
	return c, canonical, err
}

// changeOwn writes settings of the live generation of a canonical address, a retention included. A login
// must still count, see Confirm; nil: an administrator makes the change.
func (d *Directory) changeOwn(ctx context.Context, a mail.Address, l *Login, c store.AddressChange) error {
	if c.Retention != nil {
		retention, err := checkOwnRetention(*c.Retention)
		if err != nil {
			return err
		}
		c.Retention = &retention
	}
	d.changes.Lock()
	defer d.changes.Unlock()
	e, err := d.live(ctx, a)
	if err != nil {
		return err
	}
	if l != nil {
		if err := l.confirm(e); err != nil {
			return err
		}
	}
	if err := d.lowerLeastLocked(ctx, leastOfChange(c)); err != nil {
		return err
	}
	return d.changeAccount(ctx, e, l, c)
}

// DomainChange reads settings of a domain, by name, as SetAccountSettings does. Errors: ErrBadSetting.
func (d *Directory) DomainChange(texts map[string]string) (store.DomainChange, error) {
	c := store.DomainChange{Settings: map[string]string{}}
	err := d.readSettings(texts, func(s Setting, p Policy, text string) error {
		switch {
		case !s.Domain:
			return fmt.Errorf("%w: %s is a setting of accounts", ErrBadSetting, s.Name)
		case s.inDomain != nil:
			s.inDomain(&c, p)
		default:
			c.Settings[s.Name] = text
		}
		return nil
	})
	return c, err
}

// DomainQuota returns the limits of all maildrops of a domain together; zero: no limit.
func (d *Directory) DomainQuota(domain store.Domain) (octets, messages int64) {
	p := d.domainPolicy(domain)
	return p.DomainQuota, p.DomainQuotaMessages
}

// readSettings reads texts by name, and passes each setting to fn with its policy and canonical text; both
// are zero for a setting to be removed.
func (d *Directory) readSettings(texts map[string]string, fn func(s Setting, p Policy, text string) error) error {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		s, err := lookUp(d.settingsByName, name)
		if err != nil {
			return err
		}
		var p Policy
		text := texts[name]
		if text == textNone || text == "" {
			text = ""
		} else if err := s.Read(&p, text); err != nil {
			return err
		} else {
			text = s.show(p)
		}
		if err := fn(s, p, text); err != nil {
			return err
		}
	}
	return nil
}
