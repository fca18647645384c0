package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"popelago/store"
	"popelago/store/storetest"
)

// withHoles is a directory with accounts named n00 to n29, of which two parts cannot be read.
func withHoles(t *testing.T, fail func(*clock)) (d *Directory, readable []string) {
	t.Helper()
	c := newClock()
	st := openStore(t)
	d = newDirectory(t, cheap(c), st)
	if _, err := d.AddDomain(t.Context(), "example.test"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		name := fmt.Sprintf("n%02d", i)
		addAccount(t, d, name+"@example.test", "secret")
		if i/5 != 1 && i/5 != 3 {
			readable = append(readable, name)
		}
	}
	holed := storetest.Holed{Directory: st, Parts: [][2]string{{"n05", "n09"}, {"n15", "n19"}}, Fail: func() { fail(c) }}
	return newDirectory(t, cheap(c), holed), readable
}

// pages returns the local-parts of all pages of a list, and the parts that the pages lack.
func pages(t *testing.T, list func(after string) ([]Found, string, error)) (names, unread []string) {
	t.Helper()
	for after := ""; ; {
		found, next, err := list(after)
		var parts *UnreadParts
		if err != nil && (!errors.As(err, &parts) || !errors.Is(err, store.ErrUnavailable)) {
			t.Fatal(err)
		}
		if parts != nil {
			unread = append(unread, parts.Names...)
		}
		for _, f := range found {
			names = append(names, f.Address.Local)
		}
		if after = next; after == "" {
			return names, unread
		}
	}
}

// Lists have the addresses behind parts that cannot be read, and name each part once; a sorted list names all parts with each page.
func TestListsBehindUnreadableParts(t *testing.T) {
	for name, fail := range map[string]func(*clock){"at once": func(*clock) {}, "slowly": func(c *clock) { c.advance(unreadTime) }} {
		t.Run(name, func(t *testing.T) {
			d, readable := withHoles(t, fail)
			ctx, holes := t.Context(), []string{"n05 to n09", "n15 to n19"}
			for _, limit := range []int{1, 4, 5, 7, 100} {
				names, unread := pages(t, func(after string) ([]Found, string, error) {
					return d.SearchAccounts(ctx, "example.test", Search{Prefix: "n", Contains: "n"}, after, limit)
				})
				if !slices.Equal(names, readable) || !slices.Equal(unread, holes) {
					t.Errorf("pages of %d: %q without %q", limit, names, unread)
				}
				names, unread = pages(t, func(after string) (found []Found, next string, err error) {
					accounts, next, err := d.ListLimited(ctx, "example.test", after, limit)
					for _, a := range accounts {
						found = append(found, Found{Account: Account{Address: a.Address}})
					}
					return found, next, err
				})
				if !slices.Equal(names, readable) || !slices.Equal(unread, holes) {
					t.Errorf("limits in pages of %d: %q without %q", limit, names, unread)
				}
			}
			_, _, err := d.Aliases(ctx, "example.test", store.KindAlias, "", 100)
			var parts *UnreadParts
			if !errors.As(err, &parts) {
				t.Errorf("a list of aliases: %v", err)
			}
			found, _, err := d.SortAccounts(ctx, "example.test", Search{}, Order{Field: SortAddress, Descending: true}, "", 7)
			if name == "slowly" {
				if found != nil || errors.As(err, &parts) || !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("a sorted list that takes too long: %d accounts, %v", len(found), err)
				}
				return
			}
			if len(found) != 7 || found[0].Address.Local != "n29" || !errors.As(err, &parts) || !slices.Equal(parts.Names, holes) {
				t.Errorf("a sorted list: %d accounts, %v", len(found), err)
			}
		})
	}
}

// A list ends with its caller, and does not pass over damaged rows.
func TestListsThatFail(t *testing.T) {
	d, _ := withHoles(t, func(*clock) {})
	ended, end := context.WithCancel(t.Context())
	gone, _ := withHoles(t, func(*clock) { end() })
	damaged := newDirectory(t, cheap(newClock()), damagedList{d.store.Local})
	for name, search := range map[string]func() ([]Found, string, error){
		"gone": func() ([]Found, string, error) { return gone.SearchAccounts(ended, "example.test", Search{}, "", 100) },
		"damaged": func() ([]Found, string, error) {
			return damaged.SearchAccounts(t.Context(), "example.test", Search{}, "", 100)
		},
	} {
		var parts *UnreadParts
		if found, _, err := search(); found != nil || err == nil || errors.As(err, &parts) {
			t.Errorf("%s: %d accounts, %v", name, len(found), err)
		}
	}
}

// damagedList is a Holed whose parts are damaged.
type damagedList struct{ store.Directory }

func (d damagedList) SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) ([]store.Address, bool, error) {
	rows, more, err := d.Directory.SearchAddresses(ctx, domain, prefix, after, limit)
	if part := new(store.UnreadPart); errors.As(err, &part) {
		part.Err = store.ErrCorrupt
	}
	return rows, more, err
}
