package account

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"popelago/mail"
	"popelago/store"
)

// SearchLimit is the largest number of addresses that one call of SearchAccounts, SortAccounts, Aliases or ListLimited
// examines, apart from the rest of a page of the store.
const SearchLimit = 10_000

// Errors of SearchAccounts and SortAccounts.
var (
	// ErrTooManyToSort: more than SearchLimit addresses have the prefix of a sorted search.
	ErrTooManyToSort = fmt.Errorf("more than %d addresses to sort", SearchLimit)
	// ErrBadSearch: a condition of a search cannot be used.
	ErrBadSearch = errors.New("condition cannot be used")
)

// Uses of an account, by name, for Search.May and Search.MayNot.
const (
	UseDeliver = "deliver"
	UsePOP3    = "pop3"
)

// Search is the conditions of a search for accounts. An account of the result fulfils all of them. The zero
// value has no condition.
type Search struct {
	// Prefix begins the local-part. The store finds the addresses without reading others.
	Prefix string
	// Contains is a part of the address.
	Contains string
	// State; empty: any.
	State store.AddressState
	// May and MayNot name uses that the account permits now, or refuses: by its state, its expiry, and its
	// settings in force.
	May, MayNot []string
	// Has names settings that the account has itself.
	Has []string
	// InForce holds values of settings that are in force, by name.
	InForce map[string]string
}

// Found is an account of a search.
type Found struct {
	Account
	// Policy is the policy in force.
	Policy Policy
}

// SearchAccounts is Accounts for the accounts that fulfil conditions. A page may be short, even empty, while
// next names a further page: one call examines about SearchLimit addresses at most.
//
// Errors: UnreadParts beside a page that lacks a part of the addresses; mail.ErrBadAddress, ErrNoSuchDomain, ErrBadSearch,
// ErrBadSetting; store.ErrClock, if an expiry cannot be judged; the store's.
func (d *Directory) SearchAccounts(ctx context.Context, domain string, s Search, after string, limit int) (found []Found, next string, err error) {
	sel, err := d.selection(ctx, domain, s)
	if err != nil {
		return nil, "", err
	}
	limit = max(limit, 1)
	page := limit + 1 // the account behind the page shows whether a next page exists
	if len(sel.conditions) > 0 {
		page = max(page, pageSize)
	}
	each := func(note func(error) error, fn func([]store.Address) (bool, error)) error {
		return sel.each(ctx, after, page, note, fn)
	}
	next, err = d.pageOf(ctx, limit, each, func(rows []store.Address, full bool) (bool, error) {
		f, ok, err := sel.match(rows)
		if ok && !full {
			found = append(found, f)
		}
		return ok, err
	})
	if missesAll(err) {
		return nil, "", err
	}
	return found, next, err
}

// errPageEnds ends the walk of a page.
var errPageEnds = errors.New("the page ends")

// pageOf offers the rows of addresses to take, until take has taken limit addresses, or about SearchLimit were
// examined. take reports whether the address belongs into the page; a full page gets no more. next is empty at the end, otherwise
// the after of the next page. The page lacks the parts of an UnreadParts; next leads behind them.
func (d *Directory) pageOf(ctx context.Context, limit int, each func(note func(error) error, fn func([]store.Address) (bool, error)) error,
	take func(rows []store.Address, full bool) (bool, error)) (next string, err error) {
	taken, examined, last := 0, 0, ""
	list := d.newListing()
	note := func(err error) error {
		if err != nil && taken == max(limit, 1) {
			next = last // the next page comes to the part
			return errPageEnds
		}
		late, err := list.note(ctx, err)
		if late != "" {
			next = late
			return errPageEnds
		}
		return err
	}
	err = each(note, func(rows []store.Address) (bool, error) {
		ok, err := take(rows, taken == max(limit, 1))
		switch {
		case err != nil:
			return false, err
		case ok && taken == max(limit, 1):
			next = last
			return false, nil
		case ok:
			taken++
			last = rows[0].Address.Local
		}
		if examined++; examined >= SearchLimit {
			next = rows[0].Address.Local
			return false, nil
		}
		return true, nil
	})
	if err != nil && !errors.Is(err, errPageEnds) {
		return "", err
	}
	return next, list.err()
}

// missesAll reports whether a list beside an error is worthless.
func missesAll(err error) bool {
	var unread *UnreadParts
	return err != nil && !errors.As(err, &unread)
}

// selection is a Search in one domain.
type selection struct {
	d          *Directory
	domain     store.Domain
	prefix     string
	conditions []condition
}

// condition reports whether an account with a policy fulfils a condition.
type condition func(e *entry, p Policy) (bool, error)

func (d *Directory) selection(ctx context.Context, name string, s Search) (*selection, error) {
	domain, err := d.Domain(ctx, name)
	if err != nil {
		return nil, err
	}
	sel := &selection{d: d, domain: domain, prefix: canonicalPart(s.Prefix)}
	if err := mail.CheckUTF8(s.Prefix); err != nil {
		return nil, fmt.Errorf("%w: prefix: %w", ErrBadSearch, err)
	}
	if s.Contains != "" {
		part := canonicalPart(s.Contains)
		sel.add(func(e *entry, _ Policy) (bool, error) { return strings.Contains(e.row.Address.String(), part), nil })
	}
	if s.State != "" {
		sel.add(func(e *entry, _ Policy) (bool, error) { return accountOf(e).State == s.State, nil })
	}
	if err := errors.Join(sel.addUses(s.May, true), sel.addUses(s.MayNot, false), sel.addSettings(s)); err != nil {
		return nil, err
	}
	return sel, nil
}

// canonicalPart returns a part of an address in the form of canonical addresses.
func canonicalPart(s string) string { return mail.Address{Local: s}.Canonical().Local }

func (s *selection) add(c condition) { s.conditions = append(s.conditions, c) }

func (s *selection) addUses(names []string, permitted bool) error {
	for _, name := range names {
		u, ok := map[string]use{UseDeliver: useMail, UsePOP3: usePOP3}[name]
		if !ok {
			return fmt.Errorf("%w: %.60q is not %s or %s", ErrBadSearch, name, UseDeliver, UsePOP3)
		}
		s.add(func(e *entry, p Policy) (bool, error) {
			refusal := s.d.refusal(e, p, u)
			if refusal != nil && !errors.Is(refusal, ErrDisabled) {
				return false, refusal
			}
			return (refusal == nil) == permitted, nil
		})
	}
	return nil
}

func (s *selection) addSettings(search Search) error {
	for _, name := range search.Has {
		if _, err := s.setting(name); err != nil {
			return err
		}
		s.add(func(e *entry, _ Policy) (bool, error) {
			_, has := addressTexts(e.row)[name]
			return has, nil
		})
	}
	for _, name := range slices.Sorted(maps.Keys(search.InForce)) {
		setting, err := s.setting(name)
		if err != nil {
			return err
		}
		var wanted Policy
		if err := setting.Read(&wanted, search.InForce[name]); err != nil {
			return err
		}
		text := setting.show(wanted)
		s.add(func(_ *entry, p Policy) (bool, error) { return setting.show(p) == text, nil })
	}
	return nil
}

// setting returns a setting of accounts by name. Errors: ErrBadSetting.
func (s *selection) setting(name string) (Setting, error) {
	setting, err := lookUp(s.d.settingsByName, name)
	if err == nil && !setting.Account {
		err = fmt.Errorf("%w: %s is a setting of domains", ErrBadSetting, name)
	}
	return setting, err
}

// each calls fn with the rows of each address that has the prefix, like EachReadable.
func (s *selection) each(ctx context.Context, after string, page int, note func(error) error, fn func([]store.Address) (bool, error)) error {
	list := func(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
		return s.d.store.Local.SearchAddresses(ctx, domain, s.prefix, after, limit)
	}
	return EachReadable(ctx, list, s.domain.Name, after, page, note, fn)
}

// match returns the account of the rows of an address; ok is false if no account fulfils the conditions.
func (s *selection) match(rows []store.Address) (f Found, ok bool, err error) {
	e := entryOf(rows)
	if !e.isAccount() {
		return f, false, nil
	}
	p := s.d.policy(e.row, s.domain)
	for _, fulfils := range s.conditions {
		if ok, err := fulfils(e, p); err != nil || !ok {
			return f, false, err
		}
	}
	return Found{accountOf(e), p}, true, nil
}
