package storetest

import (
	"context"
	"slices"
	"strings"

	"popelago/store"
)

// Holed is a directory that cannot read the addresses of some parts, such as shards without a quorum.
type Holed struct {
	store.Directory
	// Parts begin and end with these local-parts, in ascending order.
	Parts [][2]string
	// Fail, if not nil, is called before the failure of each part.
	Fail func()
}

// holeMark begins a position behind a part: no local-part has this character.
const holeMark = "\x00"

// ListAddresses implements store.Addresses.
func (d Holed) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	return d.SearchAddresses(ctx, domain, "", after, limit)
}

// SearchAddresses implements store.Addresses.
func (d Holed) SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) ([]store.Address, bool, error) {
	after = strings.TrimPrefix(after, holeMark)
	rows, more, err := d.Directory.SearchAddresses(ctx, domain, prefix, after, limit)
	for _, p := range d.Parts {
		end := slices.IndexFunc(rows, func(a store.Address) bool { return a.Address.Local >= p[0] && a.Address.Local <= p[1] })
		if end < 0 {
			continue
		}
		if d.Fail != nil {
			d.Fail()
		}
		return rows[:end], true, &store.UnreadPart{Name: p[0] + " to " + p[1], Next: holeMark + p[1], Err: store.ErrUnavailable}
	}
	return rows, more, err
}
