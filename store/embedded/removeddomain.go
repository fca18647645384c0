package embedded

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

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
