package task

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// lateMailboxes is the number of mailboxes, mostly without late mail, that List reads for one page.
const lateMailboxes = 1000

// List returns up to limit late messages of one address, or of all addresses (the zero address), which takes
// a walk through the whole directory. The page begins behind after: the next of the page before, or empty
// for the first page. next is empty on the last page. A page ends early after lateMailboxes mailboxes: a page
// without messages may have a next page.
//
// The pages are cut by address, account and message: mail that arrives or goes between two pages displaces no
// other mail. Errors: ErrBadPage, those of package store.
func (l *Late) List(ctx context.Context, a mail.Address, after string, limit int) (list []LateMessage, next string, err error) {
	at, err := parsePlace(after)
	if err != nil {
		return nil, "", err
	}
	p := latePage{limit: max(limit, 1), at: at}
	if a.IsZero() {
		err = p.walk(ctx, l)
	} else if a = a.Canonical(); after == "" || at.address == a {
		p.at.address = a
		err = p.readAddress(ctx, l)
	} else {
		err = ErrBadPage
	}
	switch {
	case errors.Is(err, errEnough):
		next = p.at.String()
	case err != nil:
		return nil, "", err
	}
	for i := range p.list {
		if p.list[i].ReversePath, err = l.sender(ctx, p.list[i].Message); err != nil {
			return nil, "", err
		}
	}
	return p.list, next, nil
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// latePage is a page of the list of late mail in the making. at is the place that the page has reached.
type latePage struct {
	limit, mailboxes int
	at               place
	list             []LateMessage
}

// take adds a message, or returns errEnough if the page is full.
func (p *latePage) take(m LateMessage) error {
	if len(p.list) == p.limit {
		return errEnough
	}
	p.list = append(p.list, m)
	p.at = place{m.Address, m.generation, m.Message.ID}
	return nil
}

// readAddress reads the late mail of the address of the place, behind the place.
func (p *latePage) readAddress(ctx context.Context, l *Late) error {
	return eachLateOf(ctx, l.directory.Local, l.mail.Local, p.at, p.take)
}

// walk reads the late mail of all addresses behind the place.
func (p *latePage) walk(ctx context.Context, l *Late) error {
	behind := p.at.address
	if !behind.IsZero() {
		if err := p.readAddress(ctx, l); err != nil {
			return err
		}
	}
	return l.dir.RemovedMailboxesBehind(ctx, behind, nil, func(g account.Generation) error {
		if p.mailboxes++; p.mailboxes > lateMailboxes {
			return errEnough
		}
		p.at = place{address: g.Row.Address, generation: g.Row.Generation}
		return eachLate(ctx, l.mail.Local, g, mail.MessageID{}, p.take)
	})
}

// eachLateOf calls fn with the late mail of the address of a place, behind the place. The walk stops at the first
// error of fn, and returns the error.
func eachLateOf(ctx context.Context, directory store.Directory, mailboxes store.Mailboxes, at place, fn func(LateMessage) error) error {
	generations, err := generationsOf(ctx, directory, account.Policy{}.Keeping, at.address)
	if err != nil {
		return err
	}
	rows := rowsOf(generations)
	for _, g := range generations { // in their order
		var after mail.MessageID
		switch c := g.Row.Generation.Compare(at.generation); {
		case g.Status != account.Ended && g.Status != account.Displaced, c < 0:
			continue
		case c == 0:
			after = at.message
		}
		if shared, err := account.Shared(ctx, directory, g, rows); err != nil {
			return err
		} else if shared {
			continue
		}
		if err := eachLate(ctx, mailboxes, g, after, fn); err != nil {
			return err
		}
	}
	return nil
}

// eachLate calls fn with the late mail of one generation, from behind the message after, until fn returns an
// error.
func eachLate(ctx context.Context, st store.Mailboxes, g account.Generation, after mail.MessageID, fn func(LateMessage) error) error {
	m := LateMessage{
		Address: g.Row.Address, Mailbox: g.Mailbox, Ended: g.End.Time(), Displaced: g.Status == account.Displaced,
		generation: g.Row.Generation,
	}
	if begin := g.LateBehind(); after.Compare(begin) < 0 {
		after = begin
	}
	return eachBehind(ctx, st, g.Mailbox, after, func(row mail.Message) error {
		m.Message = row
		return fn(m)
	})
}

// place is a place in the list of late mail: behind a message of a generation of an address. A zero message is
// the begin of the generation, a zero generation the first.
type place struct {
	address             mail.Address
	generation, message mail.MessageID
}

// String returns the place for parsePlace: base64 of address, generation and message, a line each, which is
// empty for a zero id.
func (p place) String() string {
	text := p.address.String()
	for _, id := range []mail.MessageID{p.generation, p.message} {
		text += "\n"
		if !id.IsZero() {
			text += id.String()
		}
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// parsePlace undoes String; empty is the zero place. Errors: ErrBadPage.
func parsePlace(after string) (p place, err error) {
	if after == "" {
		return p, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(after)
	parts := strings.Split(string(text), "\n")
	if err != nil || len(parts) != 3 {
		return place{}, ErrBadPage
	}
	a, err := mail.ParseAddress(parts[0])
	if err != nil {
		return place{}, ErrBadPage
	}
	p.address = a.Canonical()
	for i, id := range []*mail.MessageID{&p.generation, &p.message} {
		if parts[i+1] == "" {
			continue
		}
		if *id, err = mail.ParseMessageID(parts[i+1]); err != nil {
			return place{}, ErrBadPage
		}
	}
	return p, nil
}
