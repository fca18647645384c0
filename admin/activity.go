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
	part := func(name string, read func(context.Context) error) bool {
		ctx, cancel := context.WithTimeout(ctx, partLimit)
		defer cancel()
		err := read(ctx)
		if err != nil {
			out.Missing = append(out.Missing, name)
			a.logger.Warn("a part of the activity of an account could not be read", "part", name, "address", acc.Address.String(), "cause", err)
		}
		return err == nil
	}
	part(adminclient.PartLogin, func(ctx context.Context) error {
		at, err := a.directory.LastLogin(ctx, acc.Mailbox)
		if err == nil && !at.IsZero() {
			out.LastLogin = &at
		}
		return err
	})
	var m measured
	listed := part(adminclient.PartMaildrop, func(ctx context.Context) (err error) {
		m, err = a.measure(ctx, acc.Mailbox)
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
	default:
		part(adminclient.PartRetrievals, func(ctx context.Context) error {
			n, err := a.unfetched(ctx, acc.Mailbox)
			if err == nil {
				out.Unfetched = &n
			}
			return err
		})
	}
	return out
}

// unfetched counts the messages of a mailbox without a note of a retrieval, a page at a time.
func (a *api) unfetched(ctx context.Context, mailbox mail.MailboxID) (n int, err error) {
	var after mail.MessageID
	for more := true; more; {
		var rows []mail.Message
		rows, more, err = a.mail.ListMessages(ctx, mailbox, after, measurePage)
		if err != nil || len(rows) == 0 {
			return n, err
		}
		last := rows[len(rows)-1].ID
		var noted []mail.MessageID
		for r, err := range a.mail.RetrievedMessages(ctx, mailbox, after, last) {
			if err != nil {
				return 0, err
			}
			noted = append(noted, r.ID)
		}
		slices.SortFunc(noted, mail.MessageID.Compare)
		for _, row := range rows {
			if _, found := slices.BinarySearchFunc(noted, row.ID, mail.MessageID.Compare); !found {
				n++
			}
		}
		after = last
	}
	return n, nil
}
