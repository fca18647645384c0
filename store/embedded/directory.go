package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// The columns of an address, one key each: a change writes only the columns it names, so that concurrent
// changes of different columns both last.
// Every target and every setting has a key of its own for the same reason.
const (
	columnBulk      = 'b'
	columnCreated   = 'c'
	columnOrigin    = 'f'
	columnTarget    = 'g'
	columnKind      = 'k'
	columnSetting   = 'o'
	columnPassword  = 'p'
	columnRetention = 't'
	columnRemoved   = 'r'
	columnState     = 's'
)

// addresses implements store.Addresses.
type addresses struct {
	link   *link
	writer *directoryWriter
}

// AddressRows implements store.Addresses.
func (d *addresses) AddressRows(ctx context.Context, a mail.Address) (rows []store.Address, err error) {
	const what = "read address"
	if err := contextErr(ctx, what); err != nil {
		return nil, err
	}
	lower := addressPrefix(a.Domain, a.Local)
	err = d.link.read(what, func(db *pebble.DB) error {
		rows, _, err = scanAddresses(ctx, db, lower, successor(lower), 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// ListAddresses implements store.Addresses. Rows are ordered by the octets of the local-part.
func (d *addresses) ListAddresses(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
	return d.SearchAddresses(ctx, domain, "", after, limit)
}

// SearchAddresses implements store.Addresses.
func (d *addresses) SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) (rows []store.Address, more bool, err error) {
	const what = "list addresses"
	if err := contextErr(ctx, what); err != nil {
		return nil, false, err
	}
	lower := appendStart(appendText([]byte{prefixAddress}, domain), prefix)
	upper := successor(lower)
	if after != "" {
		if behind := successor(addressPrefix(domain, after)); bytes.Compare(behind, lower) > 0 {
			lower = behind
		}
	}
	if bytes.Compare(lower, upper) >= 0 {
		return nil, false, nil
	}
	err = d.link.read(what, func(db *pebble.DB) error {
		rows, more, err = scanAddresses(ctx, db, lower, upper, min(max(limit, 1), pageLimit))
		return err
	})
	if err != nil {
		return nil, false, err
	}
	return rows, more, nil
}

// scanAddresses joins the columns between two keys to rows. With a limit scanAddresses stops after limit
// rows at the end of a local-part.
func scanAddresses(ctx context.Context, db *pebble.DB, lower, upper []byte, limit int) (rows []store.Address, more bool, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		c, err := parseAddressKey(it.Key())
		if err != nil {
			return nil, false, err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return nil, false, err
		}
		n := len(rows)
		if n == 0 || rows[n-1].Address != c.address || rows[n-1].Generation != c.generation {
			if limit > 0 && n >= limit && rows[n-1].Address != c.address {
				return rows, true, nil
			}
			if err := contextErr(ctx, "list addresses"); err != nil {
				return nil, false, err
			}
			rows = append(rows, store.Address{Address: c.address, Generation: c.generation})
			n++
		}
		if err := setColumn(&rows[n-1], c.column, c.element, v); err != nil {
			return nil, false, err
		}
	}
	return rows, false, it.Error()
}

// setColumn puts the value of one column into a row. The value is a version octet and the
// text, the 16 octets of an id, or 8 octets of microseconds. The value of a target is the version octet.
func setColumn(row *store.Address, column byte, element string, v []byte) error {
	d := newDecoder(v)
	if hasElements := column == columnTarget || column == columnSetting; hasElements == (element == "") {
		return errBadRow
	}
	switch column {
	case columnTarget:
		target, ok := mail.SplitAddress(element)
		if !ok {
			return errBadRow
		}
		row.Targets = append(row.Targets, target)
	case columnSetting:
		row.Settings = withSetting(row.Settings, element, d.text())
	case columnKind:
		row.Kind = store.AddressKind(d.text())
	case columnPassword:
		row.Password = d.text()
	case columnOrigin:
		var err error
		if row.Origin, err = store.ParseOrigin(d.text()); err != nil {
			return err
		}
	case columnState:
		row.State = store.AddressState(d.text())
	case columnRemoved:
		copy(row.Removed[:], d.bytes(16))
	case columnCreated:
		if b := d.bytes(8); len(b) == 8 {
			row.Created = fromMicros(int64(binary.BigEndian.Uint64(b)))
		}
	case columnBulk:
		if b := d.bytes(8); len(b) == 8 {
			row.Bulk = fromMicros(int64(binary.BigEndian.Uint64(b)))
		}
	case columnRetention:
		if b := d.bytes(8); len(b) == 8 {
			row.Retention = mail.RetentionMicroseconds(int64(binary.BigEndian.Uint64(b)))
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

// ChangeAddress implements store.Addresses.
func (d *addresses) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	return d.writer.change(ctx, "change address", func(g *group) error { return changeAddress(g.batch, a, generation, c) })
}

// changeAddress adds a change to a batch.
func changeAddress(batch *pebble.Batch, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
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
	if c.Bulk != nil {
		columns[columnBulk] = momentColumn(*c.Bulk)
	}
	if c.Origin != nil {
		columns[columnOrigin] = textColumn(c.Origin.String())
	}
	if c.Retention != nil {
		columns[columnRetention] = encodeMoment(c.Retention.Microseconds())
	}
	name := addressColumn{address: a, generation: generation}
	for column, v := range columns {
		name.column = column
		if err := batch.Set(name.key(), v, nil); err != nil {
			return err
		}
	}
	name.column = columnTarget
	for _, target := range c.AddTargets {
		name.element = target.String()
		if err := batch.Set(name.key(), []byte{rowVersion}, nil); err != nil {
			return err
		}
	}
	for _, target := range c.RemoveTargets {
		name.element = target.String()
		if err := batch.Delete(name.key(), nil); err != nil {
			return err
		}
	}
	name.column = columnSetting
	return changeSettings(batch, c.Settings, func(setting string) []byte {
		name.element = setting
		return name.key()
	})
}

// changeSettings adds changes of named settings to a batch; an empty value removes the setting.
func changeSettings(batch *pebble.Batch, settings map[string]string, key func(name string) []byte) error {
	for name, value := range settings {
		var err error
		if value == "" {
			err = batch.Delete(key(name), nil)
		} else {
			err = batch.Set(key(name), textColumn(value), nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withSetting puts a setting into a map, which may be nil.
func withSetting(settings map[string]string, name, value string) map[string]string {
	if settings == nil {
		settings = make(map[string]string, 1)
	}
	settings[name] = value
	return settings
}
