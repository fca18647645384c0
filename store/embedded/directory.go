package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// The columns of an address, one key each: a change writes the columns that it names and
// nothing else, so that concurrent changes of different columns both last.
const (
	columnCreated  = 'c'
	columnKind     = 'k'
	columnPassword = 'p'
	columnRemoved  = 'r'
	columnState    = 's'
)

// AddressRows is part of store.Addresses.
func (s *Store) AddressRows(ctx context.Context, a mail.Address) (rows []store.Address, err error) {
	const what = "read address"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	lower := addressPrefix(a.Domain, a.Local)
	err = s.read(what, func(db *pebble.DB) error {
		rows, _, err = scanAddresses(ctx, db, lower, successor(lower), 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// ListAddresses is part of store.Addresses. The order is that of the octets of the local-part.
func (s *Store) ListAddresses(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
	const what = "list addresses"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	prefix := appendText([]byte{prefixAddress}, domain)
	lower := prefix
	if after != "" {
		lower = successor(addressPrefix(domain, after))
	}
	err = s.read(what, func(db *pebble.DB) error {
		rows, more, err = scanAddresses(ctx, db, lower, successor(prefix), min(max(limit, 1), pageLimit))
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return rows, more, nil
}

// scanAddresses puts the columns between two keys together to rows. With a limit it stops
// when there are that many and a local-part is complete.
func scanAddresses(ctx context.Context, db *pebble.DB, lower, upper []byte, limit int) (rows []store.Address, more bool, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		a, generation, column, err := parseAddressKey(it.Key())
		if err != nil {
			return nil, false, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		n := len(rows)
		if n == 0 || rows[n-1].Address != a || rows[n-1].Generation != generation {
			if limit > 0 && n >= limit && rows[n-1].Address != a {
				return rows, true, nil
			}
			if err := contextErr(ctx, "list addresses"); err != nil {
				return nil, false, err
			}
			rows = append(rows, store.Address{Address: a, Generation: generation})
			n++
		}
		if err := setColumn(&rows[n-1], column, v); err != nil {
			return nil, false, err
		}
	}
	return rows, false, it.Error()
}

// setColumn puts the value of one column into a row. The value is a version octet and the
// text, the 16 octets of an id, or 8 octets of microseconds.
func setColumn(row *store.Address, column byte, v []byte) error {
	d := newDecoder(v)
	switch column {
	case columnKind:
		row.Kind = store.AddressKind(d.text())
	case columnPassword:
		row.Password = d.text()
	case columnState:
		row.State = store.AddressState(d.text())
	case columnRemoved:
		copy(row.Removed[:], d.bytes(16))
	case columnCreated:
		if b := d.bytes(8); len(b) == 8 {
			row.Created = fromMicros(int64(binary.BigEndian.Uint64(b)))
		}
	default:
		return errBadRow
	}
	return d.end()
}

func textColumn(s string) []byte { return appendBytes([]byte{rowVersion}, s) }

// noTime stands for the zero time.Time, which has no microseconds.
const noTime = -1 << 63

func momentColumn(t time.Time) []byte {
	if t.IsZero() {
		return encodeMoment(noTime)
	}
	return encodeMoment(t.UnixMicro())
}

func fromMicros(micros int64) time.Time {
	if micros == noTime {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// ChangeAddress is part of store.Addresses.
func (s *Store) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	const what = "change address"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := s.checkSpace(what); err != nil {
		return err
	}
	columns := make(map[byte][]byte, 5)
	if c.Kind != nil {
		columns[columnKind] = textColumn(string(*c.Kind))
	}
	if c.Removed != nil {
		columns[columnRemoved] = append([]byte{rowVersion}, c.Removed[:]...)
	}
	if c.Password != nil {
		columns[columnPassword] = textColumn(*c.Password)
	}
	if c.State != nil {
		columns[columnState] = textColumn(string(*c.State))
	}
	if c.Created != nil {
		columns[columnCreated] = momentColumn(*c.Created)
	}
	return s.commit(ctx, what, &write{prepare: func(g *group) error {
		for column, v := range columns {
			if err := g.batch.Set(addressKey(a, generation, column), v, nil); err != nil {
				return err
			}
		}
		return nil
	}})
}

// Domain is part of store.Domains.
func (s *Store) Domain(ctx context.Context, name string) (d store.Domain, err error) {
	const what = "read domain"
	if err := contextErr(ctx, what); err != nil {
		return d, err
	}
	err = s.read(what, func(db *pebble.DB) error {
		v, err := get(db, domainKey(name))
		if err != nil {
			return err
		}
		d, err = decodeDomain(name, v)
		return err
	})
	if err != nil {
		return store.Domain{}, err
	}
	return d, nil
}

func decodeDomain(name string, v []byte) (store.Domain, error) {
	micros, err := decodeMoment(v)
	return store.Domain{Name: name, Created: fromMicros(micros)}, err
}

// ListDomains is part of store.Domains.
func (s *Store) ListDomains(ctx context.Context) (ds []store.Domain, err error) {
	const what = "list domains"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	err = s.read(what, func(db *pebble.DB) (err error) {
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
			d, err := decodeDomain(string(it.Key()[1:]), v)
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

// PutDomain is part of store.Domains.
func (s *Store) PutDomain(ctx context.Context, d store.Domain) error {
	const what = "put domain"
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	if err := s.checkSpace(what); err != nil {
		return err
	}
	return s.commit(ctx, what, &write{prepare: func(g *group) error {
		return g.batch.Set(domainKey(d.Name), momentColumn(d.Created), nil)
	}})
}

// RemoveDomain is part of store.Domains.
func (s *Store) RemoveDomain(ctx context.Context, name string) error {
	return s.commit(ctx, "remove domain", &write{prepare: func(g *group) error {
		return g.batch.Delete(domainKey(name), nil)
	}})
}
