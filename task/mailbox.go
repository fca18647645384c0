package task

import (
	"context"
	"fmt"
	"slices"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// mailboxPage is the number of messages listed and removed at one time.
const mailboxPage = 500

// EmptyMailbox removes the messages of a mailbox with ids below an id, and returns their number. The
// call may be repeated. report gets the removed messages, with a doubt if they may be there still; nil: no call.
func EmptyMailbox(ctx context.Context, st store.Mail, mailbox mail.MailboxID, below mail.MessageID, report func(rows []mail.Message, doubt string)) (int, error) {
	return removeBetween(ctx, st, mailbox, mail.MessageID{}, below, report)
}

// removeBetween removes the messages of a mailbox with ids between after and below, both exclusive,
// and returns their number, also with an error. report gets the removed messages; nil: no call.
func removeBetween(ctx context.Context, st store.Mail, mailbox mail.MailboxID, after, below mail.MessageID, report func(rows []mail.Message, doubt string)) (int, error) {
	removed := 0
	for after.Compare(below) < 0 {
		rows, more, err := st.ListMessages(ctx, mailbox, after, mailboxPage)
		if err != nil {
			return removed, fmt.Errorf("task: list mailbox %s: %w", mailbox, err)
		}
		if i := slices.IndexFunc(rows, func(m mail.Message) bool { return m.ID.Compare(below) >= 0 }); i >= 0 {
			rows, more = rows[:i], false
		}
		if len(rows) > 0 {
			if err := removeListed(ctx, st, mailbox, rows, report); err != nil {
				return removed, err
			}
			removed += len(rows)
			after = rows[len(rows)-1].ID
		}
		if !more || len(rows) == 0 {
			break
		}
	}
	return removed, nil
}

// removeListed removes listed messages of a mailbox. report gets the messages that are gone or may be: no later run finds
// messages that are gone. nil: no call.
func removeListed(ctx context.Context, st store.Mail, mailbox mail.MailboxID, rows []mail.Message, report func(rows []mail.Message, doubt string)) error {
	doubt := ""
	err := st.RemoveListed(ctx, mailbox, rows)
	if err != nil {
		doubt = event.CauseRemovalDoubt
	}
	if report != nil {
		report(rows, doubt)
	}
	if err != nil {
		return fmt.Errorf("task: remove messages of mailbox %s: %w", mailbox, err)
	}
	return nil
}

// eachBehind calls fn with the messages of a mailbox with ids greater than after, in order. The walk stops
// at the first error of fn, and returns the error.
func eachBehind(ctx context.Context, st store.Mailboxes, mailbox mail.MailboxID, after mail.MessageID, fn func(mail.Message) error) (err error) {
	for more := true; more; {
		var rows []mail.Message
		rows, more, err = st.ListMessages(ctx, mailbox, after, mailboxPage)
		if err != nil {
			return fmt.Errorf("task: list mailbox %s: %w", mailbox, err)
		}
		if len(rows) == 0 {
			break
		}
		for _, row := range rows {
			if err := fn(row); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].ID
	}
	return nil
}
