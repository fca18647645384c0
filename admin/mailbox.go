package admin

import (
	"context"
	"time"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/task"
)

// measurePage is the number of messages in one request to the store.
const measurePage = 1000

// measured is the result of measure.
type measured struct {
	messages int
	octets   int64
	// oldest and newest are the first and the last id of the list; zero: it is empty.
	oldest, newest mail.MessageID
}

// measure counts the messages of a mailbox and adds up their sizes. It passes each page of messages, in order, to
// visit.
func (a *api) measure(ctx context.Context, mailbox mail.MailboxID, visit func([]mail.Message)) (m measured, err error) {
	for {
		rows, more, err := a.mail.ListMessages(ctx, mailbox, m.newest, measurePage)
		if err != nil {
			return measured{}, err
		}
		for _, row := range rows {
			if m.messages++; m.messages == 1 {
				m.oldest = row.ID
			}
			m.octets += row.Size
			m.newest = row.ID
		}
		visit(rows)
		if !more || len(rows) == 0 {
			return m, nil
		}
	}
}

// emptyLimit bounds the time in which the removal of an account empties its mailbox; the purge job
// removes the rest.
const emptyLimit = 30 * time.Second

// removeAccount ends an account and empties its mailbox as far as possible. The purge job removes
// the rest, and messages that arrive in the next minutes.
func (a *api) removeAccount(ctx context.Context, address mail.Address) (adminclient.Removal, error) {
	acc, err := a.directory.Account(ctx, address)
	if err != nil {
		return adminclient.Removal{}, err
	}
	before := mail.MinMessageID(time.Now()) // later messages are the purge job's
	if err := a.directory.RemoveAccount(ctx, address); err != nil {
		return adminclient.Removal{}, err
	}
	a.logger.Info("account removed", "address", acc.Address.String(), "mailbox", acc.Mailbox.String())
	// Behind the removal: a rename may have come between.
	switch shared, err := a.directory.SharesMailbox(ctx, address, acc.Mailbox); {
	case err != nil:
		a.logger.Warn("mailbox of a removed account not yet empty", "mailbox", acc.Mailbox.String(), "cause", err)
		return adminclient.Removal{Pending: true}, nil
	case shared:
		return adminclient.Removal{Shared: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, emptyLimit)
	defer cancel()
	n, err := task.EmptyMailbox(ctx, a.mail, acc.Mailbox, before, a.reportRemoved(ctx, "remove-account", acc.Address, acc.Mailbox))
	if err != nil {
		a.logger.Warn("mailbox of a removed account not yet empty", "mailbox", acc.Mailbox.String(), "cause", err)
	}
	return adminclient.Removal{Messages: n, Pending: err != nil}, nil
}
