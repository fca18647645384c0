package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// errNotListed says that an entry that was added is not there: its message was removed.
var errNotListed = errors.New("it was removed")

// holdAgain is after how long the floor is held again, in good time before that ends.
const holdAgain = time.Hour

// holdFloor keeps the floor of the account's mailbox from rising above entries that are added under
// their own ids: what is below a floor is lost for good. Floors are read after that.
func (r *checkRun) holdFloor(ctx context.Context) error {
	if !r.held.IsZero() && time.Since(r.held) < holdAgain {
		return nil
	}
	mailbox := r.owners[0].mailbox
	if err := r.try(ctx, func() error { return r.upkeep.HoldFloor(ctx, mailbox) }); err != nil {
		return fmt.Errorf("task: hold the floor of mailbox %s: %w", mailbox, err)
	}
	r.held = time.Now()
	return nil
}

// rebuildEntries adds the entries that the account's mailbox lacks, under their own ids: where
// a removal still has its mark, it wins.
func (r *checkRun) rebuildEntries(ctx context.Context, verdicts []verdict) error {
	o := r.owners[0] // Start has seen to it
	for _, v := range verdicts {
		if v.Parts != nil || v.Damage != nil || !slices.Contains(v.lacking, o.mailbox) {
			continue
		}
		if !slices.ContainsFunc(v.open, func(open owner) bool { return open.mailbox == o.mailbox }) {
			r.at.Report.Removed++
			continue
		}
		f := CheckFinding{Kind: KindUnlisted, Message: v.ID, Mailbox: o.mailbox, Address: o.address.String(), Detail: "it was not listed"}
		switch err := r.list(ctx, o, v.ContentRow); {
		case err == nil:
			f.Repaired = true
		case errors.Is(err, errNotListed):
			r.at.Report.Removed++
			continue
		case errors.Is(err, errGone):
			continue
		default:
			return err
		}
		r.found(f)
	}
	return nil
}

// list adds the entry of a content to a mailbox, and looks whether it has come there to stay.
// The recipient of the message is not known any more: the account's address stands for it. It
// goes where the one that is missing was, so that the mark of a removal is met there.
func (r *checkRun) list(ctx context.Context, o owner, c store.ContentRow) error {
	recipient := o.address.String()
	m := mail.Message{
		ID: c.ID, Recipient: recipient, Size: c.Info.Size + int64(len(mail.DeliveryHeader(c.Info.ReversePath, recipient))),
	}
	err := r.try(ctx, func() error {
		if err := r.mail.AddMessages(ctx, []store.Entry{{Mailbox: o.mailbox, Message: m, Bulk: o.bulk}})[0]; err != nil {
			return err
		}
		if _, err := r.mail.Message(ctx, o.mailbox, c.ID); errors.Is(err, store.ErrNotFound) {
			return errNotListed
		} else if err != nil {
			return err
		}
		// Whoever took it for an orphan may just have removed it.
		contents, err := r.upkeep.ContentRows(ctx, []mail.MessageID{c.ID})
		if err != nil {
			return err
		}
		if _, there := contents[c.ID]; !there {
			if err := r.mail.RemoveMessages(ctx, o.mailbox, []mail.MessageID{c.ID}); err != nil {
				return err
			}
			return errGone
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("task: list message %s in mailbox %s: %w", c.ID, o.mailbox, err)
	}
	return nil
}
