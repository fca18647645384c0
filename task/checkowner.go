package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// owner is what the directory says about a mailbox: one generation of an address.
type owner struct {
	address mail.Address
	mailbox mail.MailboxID
	// generation names it; exists says that it was made, see store.Address.
	generation mail.MessageID
	exists     bool
	removed    mail.MessageID // id of the removal that ended it; zero if none did
	// live is the generation that the account is now.
	live bool
	// retention is how long messages stay; zero: for ever. own is store.Address.Retention.
	retention, own time.Duration
	// bulk is since when the mailbox is bulk; zero: it is not.
	bulk time.Time
}

// keeps reports whether messages of an id are still kept at a moment.
func (o owner) keeps(id mail.MessageID, now time.Time) bool {
	return o.live && (o.retention == 0 || id.Time().After(now.Add(-o.retention)))
}

// ownersIn makes owners of all the rows of one address.
func ownersIn(rows []store.Address, domain store.Domain) []owner {
	owners := make([]owner, len(rows))
	live := -1
	for i, row := range rows {
		owners[i] = owner{
			address: row.Address, mailbox: mail.DeriveMailboxID(row.Address, row.Generation), removed: row.Removed,
			generation: row.Generation, exists: row.Kind != "",
			retention: domain.Retention, own: row.Retention, bulk: row.Bulk,
		}
		if row.Retention != 0 {
			owners[i].retention = row.Retention
		}
		owners[i].retention = max(owners[i].retention, 0)
		alive := row.Kind != "" && row.Removed.IsZero()
		if alive && (live < 0 || row.Generation.Compare(rows[live].Generation) > 0) {
			live = i
		}
	}
	if live >= 0 {
		owners[live].live = true
	}
	return owners
}

// ownersOf reads the owners of a canonical address.
func ownersOf(ctx context.Context, st store.Directory, a mail.Address) ([]owner, error) {
	domain, err := st.Domain(ctx, a.Domain)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("task: read domain %s: %w", a.Domain, err)
	}
	rows, err := st.AddressRows(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("task: read address %s: %w", a, err)
	}
	return ownersIn(rows, domain), nil
}

// eachOwner reads the whole directory, from behind a local-part of a domain, and calls fn with
// the owners of one address at a time. Reads are made through try.
func eachOwner(ctx context.Context, st store.Directory, try tries, domain, after string, fn func([]owner) error) error {
	var domains []store.Domain
	if err := try(ctx, func() (err error) { domains, err = st.ListDomains(ctx); return err }); err != nil {
		return fmt.Errorf("task: list domains: %w", err)
	}
	for _, d := range domains {
		if d.Name < domain {
			continue
		}
		from := ""
		if d.Name == domain {
			from = after
		}
		if err := eachOwnerIn(ctx, st, try, d, from, fn); err != nil {
			return err
		}
	}
	return nil
}

// tries calls do, and perhaps again if it fails.
type tries func(ctx context.Context, do func() error) error

// once does not repeat what fails.
func once(_ context.Context, do func() error) error { return do() }

func eachOwnerIn(ctx context.Context, st store.Directory, try tries, domain store.Domain, after string, fn func([]owner) error) error {
	for more := true; more; {
		var rows []store.Address
		err := try(ctx, func() (err error) {
			rows, more, err = st.ListAddresses(ctx, domain.Name, after, checkPage)
			return err
		})
		if err != nil {
			return fmt.Errorf("task: list addresses of %s: %w", domain.Name, err)
		}
		if len(rows) == 0 {
			return nil
		}
		for len(rows) > 0 {
			after = rows[0].Address.Local
			n := slices.IndexFunc(rows, func(row store.Address) bool { return row.Address.Local != after })
			if n < 0 {
				n = len(rows)
			}
			if err := fn(ownersIn(rows[:n], domain)); err != nil {
				return err
			}
			rows = rows[n:]
		}
	}
	return nil
}

// ownersAmong finds the owners of some mailboxes, as the directory is now. Rebuilding is only
// about the mailbox of one address.
func (r *checkRun) ownersAmong(ctx context.Context, mailboxes map[mail.MailboxID]bool) (map[mail.MailboxID]owner, error) {
	found := map[mail.MailboxID]owner{}
	note := func(owners []owner) error {
		for _, o := range owners {
			if mailboxes[o.mailbox] {
				found[o.mailbox] = o
			}
		}
		return nil
	}
	switch {
	case len(mailboxes) == 0:
		return found, nil
	case r.options.Rebuild:
		var owners []owner
		if err := r.try(ctx, func() (err error) { owners, err = ownersOf(ctx, r.directory, r.options.Address); return err }); err != nil {
			return nil, err
		}
		return found, note(owners)
	}
	return found, eachOwner(ctx, r.directory, r.try, "", "", note)
}
