package task

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// errNotListed: an added entry does not appear, because its message was removed.
var errNotListed = errors.New("the message was removed")

// holdAgain is the age of a hold of the floor at which the run renews the hold.
const holdAgain = store.FloorHold / 2

// holdFloor keeps the floor of the account's mailbox from rising above entries added under their own
// ids: a mailbox loses all entries below its floor. The hold also keeps contents of the mailbox from being
// removed as orphans meanwhile. Floors and contents are read afterwards. A call within holdAgain changes nothing,
// so holdFloor is also called before each entry: the entries of a batch may take longer than a hold lasts.
func (r *checkRun) holdFloor(ctx context.Context) error {
	if !r.held.IsZero() && r.cfg.Now().Sub(r.held) < holdAgain {
		return nil
	}
	mailbox := r.generations[0].Mailbox
	held := r.cfg.Now()
	if err := r.try(ctx, func() error { return r.upkeep.HoldFloor(ctx, mailbox) }); err != nil {
		return fmt.Errorf("task: hold the floor of mailbox %s: %w", mailbox, err)
	}
	r.held = held
	return nil
}

// rebuildEntries adds the entries that the account's mailbox lacks, under their own ids: the mark of
// a removal, where it still exists, wins.
func (r *checkRun) rebuildEntries(ctx context.Context, verdicts []verdict) error {
	g := r.generations[0] // Start has read it
	for _, v := range verdicts {
		if v.Parts != nil || v.Damage != nil || !slices.Contains(v.lacking, g.Mailbox) {
			continue
		}
		if !slices.ContainsFunc(v.open, func(open account.Generation) bool { return open.Mailbox == g.Mailbox }) {
			r.at.Report.Removed++
			continue
		}
		if v.torn { // a removal of the orphan was given up half way
			r.found(CheckFinding{Kind: KindDamaged, Message: v.ID, Detail: damagedDetail})
			continue
		}
		if err := r.holdFloor(ctx); err != nil {
			return err
		}
		f := CheckFinding{Kind: KindUnlisted, Message: v.ID, Mailbox: g.Mailbox, Address: g.Row.Address.String(), Detail: "the message was not listed"}
		switch err := r.list(ctx, g, v.ContentRow); {
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

// list adds the entry of a content to a mailbox, and reads it back. The original recipient of the
// message is lost: the account's address takes its place. The entry goes to the segment of the lost
// entry, where the mark of a removal would be.
func (r *checkRun) list(ctx context.Context, g account.Generation, c store.ContentRow) error {
	recipient := g.Row.Address.String()
	m := mail.Message{
		ID: c.ID, Recipient: recipient, Size: c.Info.Size + int64(len(mail.DeliveryHeader(c.Info.ReversePath, recipient))),
	}
	err := r.try(ctx, func() error {
		if err := r.mail.AddMessages(ctx, []store.Entry{{Mailbox: g.Mailbox, Message: m, Bulk: g.Row.Bulk}})[0]; err != nil {
			return err
		}
		if _, err := r.mail.Message(ctx, g.Mailbox, c.ID); errors.Is(err, store.ErrNotFound) {
			return errNotListed
		} else if err != nil {
			return err
		}
		// Another run may have removed the content as an orphan before it saw the hold.
		contents, err := r.upkeep.ContentRows(ctx, []mail.MessageID{c.ID})
		if err != nil {
			return err
		}
		if _, there := contents[c.ID]; !there {
			if err := r.mail.RemoveMessages(ctx, g.Mailbox, []mail.MessageID{c.ID}); err != nil {
				return err
			}
			return errGone
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("task: list message %s in mailbox %s: %w", c.ID, g.Mailbox, err)
	}
	return nil
}
