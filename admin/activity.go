package admin

import (
	"context"
	"slices"
	"time"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
)

// partLimit bounds the time of each part of an account's activity. A failed part is reported as missing; the
// answer keeps the remaining parts.
const partLimit = 20 * time.Second

// activity reads the use of an account. keep is the rule of the domain.
func (a *api) activity(ctx context.Context, acc account.Account, keep account.Keeping) adminclient.Activity {
	out := adminclient.Activity{
		NotesLogins: a.cfg.NotesLogins, NotesRetrievals: keep.AfterRetrieval(acc.Settings).Ends(),
	}
	part := func(name string, limit time.Duration, read func(context.Context) error) bool {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		err := read(ctx)
		if err != nil {
			out.Missing = append(out.Missing, name)
			a.logger.Warn("a part of the activity of an account could not be read", "part", name, "address", acc.Address.String(), "cause", err)
		}
		return err == nil
	}
	part(adminclient.PartLogin, partLimit, func(ctx context.Context) error {
		at, err := a.directory.LastLogin(ctx, acc.Mailbox)
		if err == nil && !at.IsZero() {
			out.LastLogin = &at
		}
		return err
	})
	u := unfetched{api: a, mailbox: acc.Mailbox}
	visit, limit := func([]mail.Message) {}, partLimit
	if out.NotesRetrievals { // in the same walk
		visit, limit = u.visit(ctx), 2*partLimit
	}
	var m measured
	listed := part(adminclient.PartMaildrop, limit, func(ctx context.Context) (err error) {
		m, err = a.measure(ctx, acc.Mailbox, visit)
		return err
	})
	if listed {
		out.Messages, out.Octets = &m.messages, &m.octets
		if m.messages > 0 {
			oldest, newest := m.oldest.Time(), m.newest.Time()
			out.Oldest, out.LastDelivery = &oldest, &newest
		}
	}
	switch {
	case !out.NotesRetrievals:
	case !listed:
		out.Missing = append(out.Missing, adminclient.PartRetrievals)
	case part(adminclient.PartRetrievals, partLimit, func(context.Context) error { return u.err }):
		out.Unfetched = &u.count
	}
	return out
}

// unfetched counts the messages of a mailbox without a note of a retrieval.
type unfetched struct {
	api     *api
	mailbox mail.MailboxID
	count   int
	after   mail.MessageID // the last message visited
	spent   time.Duration  // by reading notes
	err     error          // of reading notes
}

// visit returns a function that counts a page of messages. Reading the notes has partLimit for itself; after an
// error no further note is read.
func (u *unfetched) visit(ctx context.Context) func([]mail.Message) {
	return func(rows []mail.Message) {
		if u.err != nil || len(rows) == 0 {
			return
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, partLimit-u.spent)
		defer cancel()
		u.err = u.page(ctx, rows)
		u.spent += time.Since(began)
	}
}

func (u *unfetched) page(ctx context.Context, rows []mail.Message) error {
	last := rows[len(rows)-1].ID
	var noted []mail.MessageID
	for r, err := range u.api.mail.RetrievedMessages(ctx, u.mailbox, u.after, last) {
		if err != nil {
			return err
		}
		noted = append(noted, r.ID)
	}
	slices.SortFunc(noted, mail.MessageID.Compare)
	for _, row := range rows {
		if _, found := slices.BinarySearchFunc(noted, row.ID, mail.MessageID.Compare); !found {
			u.count++
		}
	}
	u.after = last
	return nil
}
