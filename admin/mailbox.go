package admin

import (
	"context"
	"time"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/task"
)

// measurePage is how many messages are asked of the store at one time.
const measurePage = 1000

// measure counts the messages of a mailbox and adds up their sizes.
func (a *api) measure(ctx context.Context, mailbox mail.MailboxID) (messages int, octets int64, err error) {
	var after mail.MessageID
	for {
		rows, more, err := a.mail.ListMessages(ctx, mailbox, after, measurePage)
		if err != nil {
			return 0, 0, err
		}
		for _, m := range rows {
			messages++
			octets += m.Size
			after = m.ID
		}
		if !more || len(rows) == 0 {
			return messages, octets, nil
		}
	}
}

// emptyLimit is for how long the removal of an account may empty its mailbox before it
// leaves the rest to the background.
const emptyLimit = 30 * time.Second

// removeAccount ends an account and empties its mailbox, as far as that goes: what is left,
// or arrives in the next minutes, is taken away by the purge job.
func (a *api) removeAccount(ctx context.Context, address mail.Address) (adminclient.Removal, error) {
	acc, err := a.directory.Account(ctx, address)
	if err != nil {
		return adminclient.Removal{}, err
	}
	before := mail.MinMessageID(time.Now()) // what comes later is the purge job's
	if err := a.directory.RemoveAccount(ctx, address); err != nil {
		return adminclient.Removal{}, err
	}
	a.logger.Info("account removed", "address", acc.Address.String(), "mailbox", acc.Mailbox.String())
	ctx, cancel := context.WithTimeout(ctx, emptyLimit)
	defer cancel()
	n, err := task.EmptyMailbox(ctx, a.mail, acc.Mailbox, before)
	if err != nil {
		a.logger.Warn("mailbox of a removed account not yet empty", "mailbox", acc.Mailbox.String(), "cause", err)
	}
	return adminclient.Removal{Messages: n, Pending: err != nil}, nil
}
