package task

import (
	"context"
	"fmt"
	"slices"
	"time"

	"popelago/account"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// Messages past the retention after the first retrieval. The notes of retrievals (store.Retrievals) decide: a
// message without a note stays. A note that a datacenter has not received yet, or that is later than the
// first retrieval, keeps the message longer. So a note needs no proof from every replica; the settings do.
//
// No message is retrieved before it arrives, and so only notes for ids past the retention are read, from the
// oldest listed message on: mailboxes without such messages cost no statement.

// due reports whether a note makes its message due under a retention.
func (e *expiry) due(n store.Retrieval, r mail.Retention) bool {
	return !n.At.After(e.now.Add(-max(time.Duration(r), e.window)))
}

// anyRetrieved reports whether any note makes a message due.
func (e *expiry) anyRetrieved(ctx context.Context, g account.Generation, oldest mail.MessageID) (bool, error) {
	through := e.below(g.AfterRetrieval)
	if !g.AfterRetrieval.Ends() || oldest.Compare(through) >= 0 {
		return false, nil
	}
	for n, err := range e.mail.RetrievedMessages(ctx, g.Mailbox, before(oldest), through) {
		if err != nil {
			return false, fmt.Errorf("task: expire: read the retrievals of mailbox %s: %w", g.Mailbox, err)
		}
		if e.due(n, g.AfterRetrieval) {
			return true, nil
		}
	}
	return false, nil
}

// removeRetrieved removes the messages that are due, and then their notes.
func (e *expiry) removeRetrieved(ctx context.Context, g account.Generation, oldest mail.MessageID) error {
	var ids []mail.MessageID
	for n, err := range e.mail.RetrievedMessages(ctx, g.Mailbox, before(oldest), e.below(g.AfterRetrieval)) {
		if err != nil {
			return fmt.Errorf("task: expire: read the retrievals of mailbox %s: %w", g.Mailbox, err)
		}
		if !e.due(n, g.AfterRetrieval) {
			continue
		}
		if ids = append(ids, n.ID); len(ids) == mailboxPage {
			if err := e.removeDue(ctx, g, ids); err != nil {
				return err
			}
			ids = nil
		}
	}
	return e.removeDue(ctx, g, ids)
}

// removeDue removes the listed messages among ids, and the notes for all.
func (e *expiry) removeDue(ctx context.Context, g account.Generation, ids []mail.MessageID) error {
	mailbox := g.Mailbox
	if len(ids) == 0 {
		return nil
	}
	rows, err := e.listed(ctx, mailbox, ids)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := removeListed(ctx, e.mail, mailbox, rows, reporter(e.events, event.Expired, g)); err != nil {
			return err
		}
		e.messages += len(rows)
	}
	if err := e.mail.ForgetRetrieved(ctx, mailbox, ids); err != nil {
		return fmt.Errorf("task: expire: forget retrievals of mailbox %s: %w", mailbox, err)
	}
	return nil
}

// listed returns the rows of the listed messages among ids.
func (e *expiry) listed(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) (rows []mail.Message, err error) {
	ids = slices.SortedFunc(slices.Values(ids), mail.MessageID.Compare)
	last := ids[len(ids)-1]
	for after, more := before(ids[0]), true; more && after.Compare(last) < 0; {
		var page []mail.Message
		page, more, err = e.mail.ListMessages(ctx, mailbox, after, mailboxPage)
		if err != nil {
			return nil, fmt.Errorf("task: expire: list mailbox %s: %w", mailbox, err)
		}
		if len(page) == 0 {
			break
		}
		for _, row := range page {
			if _, wanted := slices.BinarySearchFunc(ids, row.ID, mail.MessageID.Compare); wanted {
				rows = append(rows, row)
			}
		}
		after = page[len(page)-1].ID
	}
	return rows, nil
}

// before returns an id below id and above the ids of earlier moments.
func before(id mail.MessageID) mail.MessageID { return mail.MinMessageID(id.Time()) }
