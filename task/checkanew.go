package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// storeAnew replaces an entry that does not fit its content by a copy of the message under a new id
// with the same unique-id: an entry is never written again with different values under its own id. If
// storeAnew stops half way, the mailbox has both for a while: a maildrop lists messages with equal
// unique-ids once.
//
// The message may be removed at any moment since it was found: then no copy may stay.
func (r *checkRun) storeAnew(ctx context.Context, e entryCandidate) error {
	what := fmt.Sprintf("task: store message %s of mailbox %s anew", e.Message, e.Mailbox)
	if there, err := r.listed(ctx, e.Mailbox, e.Message); err != nil || !there {
		return cmp.Or(err, errGone)
	}
	twin, err := r.twin(ctx, e)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if !twin {
		if err := r.copy(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if err := r.try(ctx, func() error { return r.mail.RemoveMessages(ctx, e.Mailbox, []mail.MessageID{e.Message}) }); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// copy stores a copy of a message.
func (r *checkRun) copy(ctx context.Context, e entryCandidate) error {
	info, body, err := r.mail.OpenContent(ctx, e.Message, e.row.Origin)
	if errors.Is(err, store.ErrNotFound) {
		return errGone
	}
	if err != nil {
		return err
	}
	defer body.Close()
	content, err := copyContent(ctx, r.mail, info, body)
	if err != nil {
		return err
	}
	defer content.Discard()
	id, err := store.NextID(ctx, r.mail, r.cfg.IDs)
	if err != nil {
		return err
	}
	anew := copyOf(e.row, id, info)
	err = r.mail.PutContent(ctx, anew.ID, content, store.ContentInfo{
		ReversePath: info.ReversePath, Mailboxes: []mail.MailboxID{e.Mailbox},
	})
	if err != nil {
		return err
	}
	inTime := func(ctx context.Context) error {
		return store.CheckID(ctx, r.mail, anew.ID, r.cfg.Now(), store.MaxIDAge, mail.MaxIDAhead)
	}
	if err := inTime(ctx); err != nil {
		return err
	}
	err = r.try(ctx, func() error {
		// Without Bulk on purpose, also in a bulk mailbox: no other process adds this id, and a
		// repetition need not know the account. All readers read the segment of ordinary mailboxes, too.
		return r.mail.AddMessages(ctx, []store.Entry{{Mailbox: e.Mailbox, Message: anew}})[0]
	})
	if err == nil {
		err = inTime(ctx)
	}
	if err == nil {
		var there bool
		if there, err = r.listed(ctx, e.Mailbox, e.Message); err == nil && !there {
			err = errGone // the client has removed the message, or another server has stored the message anew
		}
	}
	if err != nil {
		// The entry may exist, or appear later: remove it, also if the clock is the cause.
		undo := context.WithoutCancel(ctx)
		if undone := r.repeat(undo, func() error { return r.mail.RemoveMessages(undo, e.Mailbox, []mail.MessageID{anew.ID}) }); undone != nil {
			return fmt.Errorf("%s; its copy %s may be left: %w", err.Error(), anew.ID, undone)
		}
		return err
	}
	return nil
}

// twin reports whether the mailbox has a copy of a message already, from an earlier repair that
// stopped half way. The repair that made a young copy may still take it back.
func (r *checkRun) twin(ctx context.Context, e entryCandidate) (bool, error) {
	after := e.Message // copies are younger
	for more := true; more; {
		var rows []mail.Message
		err := r.try(ctx, func() (err error) {
			rows, more, err = r.mail.ListMessages(ctx, e.Mailbox, after, checkPage)
			return err
		})
		if err != nil || len(rows) == 0 {
			return false, err
		}
		after = rows[len(rows)-1].ID
		for _, row := range rows {
			if row.UIDL != e.row.UniqueID() || r.young(row.ID) {
				continue
			}
			if fits, err := r.fits(ctx, row); err != nil || fits {
				return fits, err
			}
		}
	}
	return false, nil
}

// fits reports whether the content of an entry exists and has the size in the entry.
func (r *checkRun) fits(ctx context.Context, row mail.Message) (fits bool, err error) {
	err = r.try(ctx, func() error {
		contents, err := r.upkeep.ContentRows(ctx, []mail.MessageID{row.ID})
		c, there := contents[row.ID]
		fits = there && c.Damage == nil && row.Size == c.Info.Size+int64(len(row.Header(c.Info.ReversePath)))
		return err
	})
	return fits, err
}
