package task

import (
	"context"
	"fmt"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// purgeAgain is for how long after its removal a mailbox is looked at again, because mail
// that was on its way may still have arrived in it.
const purgeAgain = 24 * time.Hour

// Purge is the job that removes the messages of removed accounts. Its first run looks at all
// of them, later runs only at those removed within a day.
func Purge(every time.Duration, dir *account.Directory, st store.Store) Job {
	first := true
	return Job{Name: "purge", Every: every, Run: func(ctx context.Context, _ bool) (report Report, err error) {
		removed := 0
		err = dir.RemovedMailboxes(ctx, func(m account.RemovedMailbox) error {
			if !first && time.Since(m.Removed.Time()) > purgeAgain {
				return nil
			}
			n, err := EmptyMailbox(ctx, st, m.Mailbox)
			removed += n
			return err
		})
		first = first && err != nil
		report.add("messages", int64(removed))
		return report, err
	}}
}

// EmptyMailbox removes all messages of a mailbox and returns how many. It may be repeated.
func EmptyMailbox(ctx context.Context, st store.Store, mailbox mail.MailboxID) (int, error) {
	const page = 500
	removed := 0
	var after mail.MessageID
	for {
		rows, more, err := st.ListMessages(ctx, mailbox, after, page)
		if err != nil {
			return removed, fmt.Errorf("task: list mailbox %s: %w", mailbox, err)
		}
		ids := make([]mail.MessageID, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		if len(ids) > 0 {
			if err := st.RemoveMessages(ctx, mailbox, ids); err != nil {
				return removed, fmt.Errorf("task: empty mailbox %s: %w", mailbox, err)
			}
			removed += len(ids)
			after = ids[len(ids)-1]
		}
		if !more || len(rows) == 0 {
			return removed, nil
		}
	}
}
