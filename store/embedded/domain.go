package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// The settings of a domain, one key each, like the columns of an address. The octet of a setting with a
// name is followed by the name.
const (
	settingDurability = 'd'
	settingNamed      = 'n'
	settingRetention  = 't'
)

// domains implements store.Domains.
type domains struct {
	link   *link
	writer *directoryWriter
}

// Domain implements store.Domains.
func (t *domains) Domain(ctx context.Context, name string) (d store.Domain, err error) {
	const what = "read domain"
	if err := contextErr(ctx, what); err != nil {
		return d, err
	}
	err = t.link.read(what, func(db *pebble.DB) error {
		v, err := get(db, domainKey(name))
		if err == nil {
			d, err = readDomain(db, name, v)
		}
		return err
	})
	if err != nil {
		return store.Domain{}, err
	}
	return d, nil
}

// readDomain joins a domain from its row and its settings.
func readDomain(db *pebble.DB, name string, row []byte) (d store.Domain, err error) {
	micros, err := decodeMoment(row)
	if err != nil {
		return store.Domain{}, err
	}
	d = store.Domain{Name: name, Created: fromMicros(micros)}
	lower := settingPrefix(name)
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: successor(lower)})
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return d, err
		}
		if err := setSetting(&d, it.Key()[len(lower):], v); err != nil {
			return d, err
		}
	}
	return d, it.Error()
}

// setSetting puts one setting into a domain. key is the octet of the setting, and its name if it has one.
func setSetting(d *store.Domain, key, v []byte) error {
	if len(key) == 0 || (key[0] == settingNamed) != (len(key) > 1) {
		return errBadRow
	}
	value := newDecoder(v)
	switch key[0] {
	case settingDurability:
		d.Durability = mail.Durability(value.text())
	case settingNamed:
		d.Settings = withSetting(d.Settings, string(key[1:]), value.text())
	case settingRetention:
		micros, err := decodeMoment(v)
		d.Retention = mail.RetentionMicroseconds(micros)
		return err
	default:
		return errBadRow
	}
	return value.end()
}

// ListDomains implements store.Domains.
func (t *domains) ListDomains(ctx context.Context) (ds []store.Domain, err error) {
	const what = "list domains"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	err = t.link.read(what, func(db *pebble.DB) (err error) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixDomain}, UpperBound: []byte{prefixDomain + 1}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		for valid := it.First(); valid; valid = it.Next() {
			v, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			d, err := readDomain(db, string(it.Key()[1:]), v)
			if err != nil {
				return err
			}
			ds = append(ds, d)
		}
		return it.Error()
	})
	if err != nil {
		return nil, err
	}
	return ds, nil
}

// PutDomain implements store.Domains.
func (t *domains) PutDomain(ctx context.Context, d store.Domain) error {
	return t.writer.change(ctx, "put domain", func(g *group) error {
		named := settingKey(d.Name, settingNamed)
		err := errors.Join(g.batch.Set(domainKey(d.Name), momentColumn(d.Created), nil), g.batch.DeleteRange(named, successor(named), nil))
		return errors.Join(err, setSettings(g, d.Name, store.DomainChange{Durability: &d.Durability, Retention: &d.Retention, Settings: d.Settings}))
	})
}

// ChangeDomain implements store.Domains.
func (t *domains) ChangeDomain(ctx context.Context, name string, c store.DomainChange) error {
	return t.writer.change(ctx, "change domain", func(g *group) error { return setSettings(g, name, c) })
}

func setSettings(g *group, name string, c store.DomainChange) error {
	if c.Durability != nil {
		if err := g.batch.Set(settingKey(name, settingDurability), textColumn(string(*c.Durability)), nil); err != nil {
			return err
		}
	}
	if c.Retention != nil {
		if err := g.batch.Set(settingKey(name, settingRetention), encodeMoment(c.Retention.Microseconds()), nil); err != nil {
			return err
		}
	}
	return changeSettings(g.batch, c.Settings, func(setting string) []byte { return namedSettingKey(name, setting) })
}

// RemoveDomain implements store.Domains.
func (t *domains) RemoveDomain(ctx context.Context, name string) error {
	return t.writer.remove(ctx, "remove domain", func(g *group) error { return g.batch.Delete(domainKey(name), nil) })
}

// RemovedDomains implements store.Domains. A removed domain has no row: it is found by its addresses. So the
// removed domains of every release are found.
func (t *domains) RemovedDomains(ctx context.Context) (removed []store.RemovedDomain, err error) {
	const what = "list removed domains"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	err = t.link.read(what, func(db *pebble.DB) error {
		return eachAddressDomain(ctx, db, func(name string) error {
			switch _, err := get(db, domainKey(name)); {
			case errors.Is(err, store.ErrNotFound):
				removed = append(removed, store.RemovedDomain{Name: name})
			case err != nil:
				return err
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return removed, nil
}

// eachAddressDomain calls fn with each domain of an address, by name, with one seek for each domain.
func eachAddressDomain(ctx context.Context, db *pebble.DB, fn func(name string) error) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{prefixAddress}, UpperBound: []byte{prefixAddress + 1}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; {
		c, err := parseAddressKey(it.Key())
		if err != nil {
			return err
		}
		if err := contextErr(ctx, "list removed domains"); err != nil {
			return err
		}
		if err := fn(c.address.Domain); err != nil {
			return err
		}
		valid = it.SeekGE(successor(appendText([]byte{prefixAddress}, c.address.Domain)))
	}
	return it.Error()
}
