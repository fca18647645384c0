package quota

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Usage is the use of a mailbox or a domain.
type Usage struct {
	// Octets is the sum of the sizes that POP3 lists.
	Octets int64
	// Messages is the count of messages.
	Messages int64
}

func (u Usage) plus(v Usage) Usage  { return Usage{u.Octets + v.Octets, u.Messages + v.Messages} }
func (u Usage) minus(v Usage) Usage { return Usage{u.Octets - v.Octets, u.Messages - v.Messages} }

// within reports whether u exceeds neither limit; a limit of zero is none.
func (u Usage) within(octets, messages int64) bool {
	return (octets <= 0 || u.Octets <= octets) && (messages <= 0 || u.Messages <= messages)
}

// Percent returns the greater of the two shares of the limits that u uses, rounded down; zero without
// limits.
func (u Usage) Percent(octets, messages int64) int {
	return max(share(u.Octets, octets), share(u.Messages, messages))
}

// share returns used in percent of limit, at most 1,000,000.
func share(used, limit int64) int {
	if limit <= 0 || used <= 0 {
		return 0
	}
	return int(min(float64(used)/float64(limit)*100, 1e6))
}

// pageSize is the count of rows in one read of a list.
const pageSize = 5000

// Measure sums up a mailbox, one read for every 5,000 messages. Messages past the retention at the moment
// now do not count. Errors: the store's; with a retention also store.ErrClock.
func Measure(ctx context.Context, st store.Mail, mailbox mail.MailboxID, retention mail.Retention, now time.Time) (u Usage, err error) {
	var after mail.MessageID
	if retention.Ends() {
		if err := st.Clock(); err != nil {
			return Usage{}, fmt.Errorf("quota: measure mailbox %s: %w", mailbox, err)
		}
		after = mail.MinMessageID(retention.Since(now))
	}
	for {
		rows, more, err := st.ListMessages(ctx, mailbox, after, pageSize)
		if err != nil {
			return Usage{}, fmt.Errorf("quota: measure mailbox %s: %w", mailbox, err)
		}
		for _, row := range rows {
			u = u.plus(Usage{row.Size, 1})
		}
		if !more || len(rows) == 0 {
			return u, nil
		}
		after = rows[len(rows)-1].ID
	}
}
