package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Status says what became of a generation of an address.
type Status string

const (
	// Unmade: the row does not exist. A part of a row may exist, such as a change that arrived before
	// the row itself.
	Unmade Status = "unmade"
	// Live: the generation is the account. An address has one live generation at most.
	Live Status = "live"
	// Displaced: the generation was made and never removed, but a newer one is the account. Two
	// processes that had not heard of each other made both.
	Displaced Status = "displaced"
	// Ended: the generation was removed.
	Ended Status = "ended"
	// Moved: the account was renamed, and its mailbox belongs to another row. The generation has no mail of
	// its own.
	Moved Status = "moved"
)

// Generation is one generation of an address, judged among all generations of the address.
type Generation struct {
	Row     store.Address
	Mailbox mail.MailboxID
	Status  Status
	// End is the id of the removal that ended the generation. Of a displaced generation, the id of
	// the removal that the account follows. Zero otherwise.
	End mail.MessageID
	// Retention of the messages, in force: see Keeping.
	Retention mail.Retention
	// AfterRetrieval is the retention after the first retrieval, in force: see Keeping.
	AfterRetrieval mail.Retention
}

// Generations judges the generations of one address. rows are all rows of the address, in any
// order; the result has the same order. keep is the rule of the domain of the address; the zero value if
// the caller ignores Generation.Retention.
//
// No other place decides which generation counts: a generation taken for ended loses its mail.
func Generations(rows []store.Address, keep Keeping) []Generation {
	generations := make([]Generation, len(rows))
	live := liveRow(rows)
	var mailbox mail.MailboxID // of the live row
	if live >= 0 {
		mailbox = rows[live].Mailbox()
	}
	for i, row := range rows {
		g := Generation{
			Row: row, Mailbox: row.Mailbox(), Retention: keep.Of(row.Retention),
			AfterRetrieval: keep.AfterRetrieval(row.Settings),
		}
		switch {
		case row.Moved(), i != live && g.Mailbox == mailbox:
			g.Status = Moved
		case !row.Removed.IsZero():
			g.Status, g.End = Ended, row.Removed
		case row.Kind == "":
			g.Status = Unmade
		case i == live:
			g.Status = Live
		default:
			g.Status, g.End = Displaced, rows[live].Generation
		}
		generations[i] = g
	}
	return generations
}

// liveRow returns the index of the live generation: the newest that exists and is not removed; -1
// without any. Of several kinds that follow the same removal the account counts, which has a maildrop, and
// then the group.
func liveRow(rows []store.Address) int {
	live := -1
	for i, r := range rows {
		if r.Kind == "" || !r.Removed.IsZero() || r.Moved() {
			continue
		}
		if live < 0 || compareGenerations(r, rows[live]) > 0 {
			live = i
		}
	}
	return live
}

// kindNumber numbers the kinds. Rows of different kinds that follow the same removal are siblings: two
// datacenters that make an account and an alias of one address at the same time make two rows, and the
// alias does not take the password or the maildrop of the account.
func kindNumber(kind store.AddressKind) byte {
	switch kind {
	case store.KindAlias:
		return 1
	case store.KindGroup:
		return 2
	}
	return 0
}

// follows returns the removal that a row follows, in the form of mail.MessageID.Sibling.
func follows(r store.Address) mail.MessageID { return r.Generation.Sibling(kindNumber(r.Kind)) }

// compareGenerations orders rows of one address that exist: -1, 0 or +1.
func compareGenerations(a, b store.Address) int {
	rank := [...]int{0: 2, 1: 0, 2: 1} // by kindNumber
	return cmp.Or(follows(a).Compare(follows(b)), cmp.Compare(rank[kindNumber(a.Kind)], rank[kindNumber(b.Kind)]))
}

// Keeps reports whether the account still keeps a message with an id at the moment now.
func (g Generation) Keeps(id mail.MessageID, now time.Time) bool {
	return g.Status == Live && (!g.Retention.Ends() || id.Time().After(g.Retention.Since(now)))
}

// LateBehind returns an id that all late mail of a generation is behind: mail accepted for an
// account after its end. All mail of a displaced generation is late.
func (g Generation) LateBehind() mail.MessageID {
	if g.Status == Ended {
		return g.End
	}
	return mail.MessageID{}
}

// ListAddresses is store.Addresses.ListAddresses, or that with repetitions.
type ListAddresses func(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error)

// EachAddress calls fn with all rows of one address at a time, from behind the local-part after
// (empty: from the start), until fn returns false or an error. It asks list for page rows at a time.
func EachAddress(ctx context.Context, list ListAddresses, domain, after string, page int, fn func([]store.Address) (bool, error)) error {
	return EachReadable(ctx, list, domain, after, page, func(err error) error { return err }, fn)
}

// EachReadable is EachAddress, and goes on behind parts of the list that cannot be read. EachReadable calls note with nil for
// a part that was read, and, behind the rows before the part, with the error of a part that cannot be read. EachReadable ends at
// the first error that note returns.
func EachReadable(ctx context.Context, list ListAddresses, domain, after string, page int, note func(error) error, fn func([]store.Address) (bool, error)) error {
	for more := true; more; {
		var rows []store.Address
		var err error
		rows, more, err = list(ctx, domain, after, page)
		if err == nil || len(rows) > 0 {
			if err := note(nil); err != nil {
				return err
			}
		}
		if err == nil && len(rows) == 0 {
			return nil // the position behind the page would be the same
		}
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && rows[n].Address.Local == rows[0].Address.Local {
				n++
			}
			after = rows[0].Address.Local
			if ok, err := fn(rows[:n]); err != nil || !ok {
				return err
			}
			rows = rows[n:]
		}
		if err != nil {
			if err := note(fmt.Errorf("account: list addresses of %s: %w", domain, err)); err != nil {
				return err
			}
			part := new(store.UnreadPart)
			errors.As(err, &part)
			after, more = part.Next, part.Next != ""
		}
	}
	return nil
}
