package task

import (
	"context"
	"fmt"
	"time"

	"popelago/account"
	"popelago/mail"
)

// Growth out of character. The messages of a day are compared with an average day of the week before, both as far
// as the messages are still in the maildrop. A reader may remove messages at each login, so the comparison begins
// after a login longer ago than a day, and ends at a login of the last day: messages left by a login are there to
// stay. A maildrop without two days to compare has no character yet.

const (
	growthDay  = 24 * time.Hour
	growthWeek = 7 * growthDay
	// growthLeast is the least time before the day: less shows no character.
	growthLeast = 2 * growthDay
	// maxCounted bounds the messages of a count.
	maxCounted = 100_000
)

// judgeGrowth notes a maildrop with growth out of character.
func (r *alarmRun) judgeGrowth(ctx context.Context, g account.Generation, a Alarm) error {
	if r.cfg.Growing <= 0 || r.now.Sub(g.Row.Created) < growthDay+growthLeast { // new, or just imported
		return nil
	}
	n, err := r.count(ctx, g.Mailbox, r.now.Add(-growthDay), r.now, r.cfg.Growing)
	if err != nil || n < r.cfg.Growing {
		return err // ends nearly every judgement
	}
	if err := r.lastLogin(ctx, &a); err != nil {
		return err
	}
	until, since := r.now, time.Time{}
	if r.now.Sub(a.LastLogin) < growthDay {
		until = a.LastLogin
	} else {
		since = a.LastLogin
	}
	begin := until.Add(-growthDay)
	for _, t := range []time.Time{begin.Add(-growthWeek), g.Row.Created} {
		if t.After(since) {
			since = t
		}
	}
	before := begin.Sub(since)
	if before < growthLeast {
		return nil
	}
	if a.Day, err = r.count(ctx, g.Mailbox, begin, until, maxCounted); err != nil || a.Day < r.cfg.Growing {
		return err
	}
	days := before.Hours() / growthDay.Hours()
	limit := int(float64(a.Day)*days/float64(max(r.cfg.Factor, 1))) + 1 // more messages are no reason for an alarm
	earlier, err := r.count(ctx, g.Mailbox, since, begin, limit)
	if err != nil || earlier >= limit {
		return err
	}
	a.Kind, a.Since, a.Usual = AlarmGrowing, begin, float64(earlier)/days
	r.note(a)
	return nil
}

// count counts the messages of a mailbox that arrived between two moments, up to most.
func (r *alarmRun) count(ctx context.Context, mailbox mail.MailboxID, from, until time.Time, most int) (n int, err error) {
	after, end := mail.MinMessageID(from), mail.MinMessageID(until)
	for n < most {
		rows, more, err := r.mail.ListMessages(ctx, mailbox, after, min(mailboxPage, most-n))
		if err != nil {
			return n, fmt.Errorf("task: alarms: list mailbox %s: %w", mailbox, err)
		}
		for _, row := range rows {
			if row.ID.Compare(end) >= 0 {
				return n, nil
			}
			n++
		}
		if !more || len(rows) == 0 {
			break
		}
		after = rows[len(rows)-1].ID
	}
	return n, nil
}
