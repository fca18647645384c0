package account

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"popelago/store"
)

// Fields that SortAccounts sorts by.
const (
	SortAddress = "address"
	SortCreated = "created"
	SortState   = "state"
)

// Order is the order of SortAccounts.
type Order struct {
	// Field is SortAddress, SortCreated or SortState. Accounts with equal fields are in the order of their
	// addresses.
	Field string
	// Descending reverses the order of the fields and of the addresses.
	Descending bool
}

// SortAccounts is SearchAccounts in an order that the store does not have. Each call reads all addresses that
// have the prefix, SearchLimit at most.
//
// The pages of a walk are cut by the values of the fields: an account that is made or removed meanwhile
// displaces no other account. Errors: as SearchAccounts; ErrTooManyToSort; ErrBadSearch also for a wrong after.
func (d *Directory) SortAccounts(ctx context.Context, domain string, s Search, order Order, after string, limit int) (found []Found, next string, err error) {
	sel, err := d.selection(ctx, domain, s)
	if err != nil {
		return nil, "", err
	}
	behind, err := order.parse(after)
	if err != nil {
		return nil, "", err
	}
	examined, list := 0, d.newListing()
	note := func(err error) error {
		late, failed := list.note(ctx, err)
		if late != "" {
			return err // no order without the rest
		}
		return failed
	}
	err = sel.each(ctx, "", pageSize, note, func(rows []store.Address) (bool, error) {
		if examined++; examined > SearchLimit {
			return false, fmt.Errorf("%w in %s: a longer prefix, or no order, is needed", ErrTooManyToSort, sel.domain.Name)
		}
		f, ok, err := sel.match(rows)
		if ok && (after == "" || order.compare(sortKeyOf(order.Field, f), behind) > 0) {
			found = append(found, f)
		}
		return true, err
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(found, func(a, b Found) int {
		return order.compare(sortKeyOf(order.Field, a), sortKeyOf(order.Field, b))
	})
	if limit = max(limit, 1); len(found) > limit {
		found = found[:limit]
		next = order.after(found[limit-1])
	}
	return found, next, list.err()
}

// sortKey is the place of an account in an order.
type sortKey struct{ field, address string }

func sortKeyOf(field string, f Found) sortKey {
	k := sortKey{address: f.Address.Local}
	switch field {
	case SortCreated:
		k.field = f.Created.UTC().Format("2006-01-02T15:04:05.000000Z")
	case SortState:
		k.field = string(f.State)
	}
	return k
}

func (o Order) compare(a, b sortKey) int {
	c := cmp.Or(strings.Compare(a.field, b.field), strings.Compare(a.address, b.address))
	if o.Descending {
		return -c
	}
	return c
}

// after returns the after of the page behind an account: base64 of the field, a line end and the local-part.
func (o Order) after(f Found) string {
	k := sortKeyOf(o.Field, f)
	return base64.RawURLEncoding.EncodeToString([]byte(k.field + "\n" + k.address))
}

// parse undoes after, and checks the field of the order. Errors: ErrBadSearch.
func (o Order) parse(after string) (sortKey, error) {
	if o.Field != SortAddress && o.Field != SortCreated && o.Field != SortState {
		return sortKey{}, fmt.Errorf("%w: accounts cannot be sorted by %.60q", ErrBadSearch, o.Field)
	}
	text, err := base64.RawURLEncoding.DecodeString(after)
	field, address, ok := strings.Cut(string(text), "\n")
	if after != "" && (err != nil || !ok) {
		return sortKey{}, fmt.Errorf("%w: after is not the next of a page in this order", ErrBadSearch)
	}
	return sortKey{field, address}, nil
}
