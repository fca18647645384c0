package task

import (
	"context"
	"errors"
	"fmt"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// keepingOf returns the rule of a domain that decides how long messages are kept, see
// account.Directory.Keeping.
type keepingOf func(store.Domain) account.Keeping

// orPlain returns k, and for nil the rule of a server without a policy.
func (k keepingOf) orPlain() keepingOf {
	if k == nil {
		return account.Policy{}.Keeping
	}
	return k
}

// generationsOf reads the generations of a canonical address.
func generationsOf(ctx context.Context, st store.Directory, keep keepingOf, a mail.Address) ([]account.Generation, error) {
	domain, err := st.Domain(ctx, a.Domain)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("task: read domain %s: %w", a.Domain, err)
	}
	rows, err := st.AddressRows(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("task: read address %s: %w", a, err)
	}
	return account.Generations(rows, keep(domain)), nil
}

// rowsOf returns the rows of generations.
func rowsOf(generations []account.Generation) []store.Address {
	rows := make([]store.Address, len(generations))
	for i, g := range generations {
		rows[i] = g.Row
	}
	return rows
}

// repeater calls do, and may call do again after a failure.
type repeater func(ctx context.Context, do func() error) error

// eachAddress reads the whole directory, from behind the local-part after of a domain, and calls fn
// with the generations of one address at a time. Reads are made through try. The walk ends at the first error.
func eachAddress(ctx context.Context, st store.Directory, keep keepingOf, try repeater, domain, after string, fn func([]account.Generation) error) error {
	var domains []store.Domain
	if err := try(ctx, func() (err error) { domains, err = st.ListDomains(ctx); return err }); err != nil {
		return fmt.Errorf("task: list domains: %w", err)
	}
	list := func(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
		err = try(ctx, func() error { rows, more, err = st.ListAddresses(ctx, domain, after, limit); return err })
		return rows, more, err
	}
	for _, d := range domains {
		if d.Name < domain {
			continue
		}
		from := ""
		if d.Name == domain {
			from = after
		}
		if err := eachOf(ctx, list, keep(d), d.Name, from, func(err error) error { return err }, fn); err != nil {
			return err
		}
	}
	return nil
}

// eachOf is eachAddress in one domain; note is as for account.EachReadable.
func eachOf(ctx context.Context, list account.ListAddresses, rule account.Keeping, domain, from string, note func(error) error, fn func([]account.Generation) error) error {
	return account.EachReadable(ctx, list, domain, from, checkPage, note, func(rows []store.Address) (bool, error) {
		err := fn(account.Generations(rows, rule))
		return err == nil, err
	})
}

// eachReadable is eachAddress, and goes on behind parts of domains that cannot be read: the error is an account.UnreadError then, and
// whole has the domains that were read to the end. An error of fn ends the walk.
func eachReadable(ctx context.Context, st store.Directory, keep keepingOf, fn func([]account.Generation) error) (whole map[string]bool, err error) {
	domains, err := st.ListDomains(ctx)
	unread := &account.UnreadError{}
	if err != nil {
		err = fmt.Errorf("task: list domains: %w", err)
	}
	if err := unread.AddList(ctx, len(domains), err); err != nil {
		return nil, err
	}
	whole = map[string]bool{}
	for _, d := range domains {
		before := unread.Parts
		if err := eachOf(ctx, st.ListAddresses, keep(d), d.Name, "", unread.Adder(ctx), fn); err != nil {
			return whole, err
		}
		whole[d.Name] = unread.Parts == before
	}
	return whole, unread.OrNil()
}

// unreadParts returns the number of parts of the directory that a walk went on behind.
func unreadParts(err error) int {
	if unread := new(account.UnreadError); errors.As(err, &unread) {
		return unread.Parts
	}
	return 0
}

// generationsAmong finds the generations of some mailboxes, as the directory is now. A rebuilding
// run reads its address only.
func (r *checkRun) generationsAmong(ctx context.Context, mailboxes map[mail.MailboxID]bool) (map[mail.MailboxID]account.Generation, error) {
	found := map[mail.MailboxID]account.Generation{}
	note := func(generations []account.Generation) error {
		for _, g := range generations {
			if mailboxes[g.Mailbox] && g.Status != account.Moved {
				found[g.Mailbox] = g
			}
		}
		return nil
	}
	switch {
	case len(mailboxes) == 0:
		return found, nil
	case r.options.Rebuild:
		var generations []account.Generation
		err := r.try(ctx, func() (err error) {
			generations, err = generationsOf(ctx, r.directory, r.keeping, r.options.Address)
			return err
		})
		if err != nil {
			return nil, err
		}
		return found, note(generations)
	}
	return found, eachAddress(ctx, r.directory, r.keeping, r.try, "", "", note)
}
