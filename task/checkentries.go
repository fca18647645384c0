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

// checkPage is the number of rows or contents read from the store at one time.
const checkPage = 500

// entryCandidate is an entry that a run judges at the end of the batch.
type entryCandidate struct {
	CheckFinding
	row mail.Message
}

// checkEntries compares the entries of all mailboxes with their contents.
func (r *checkRun) checkEntries(ctx context.Context) error {
	if r.generations != nil {
		for _, g := range r.generations {
			if err := r.checkMailbox(ctx, g); err != nil {
				return err
			}
		}
		return r.settleEntries(ctx)
	}
	err := eachAddress(ctx, r.directory, r.keeping, r.try, string(r.at.Domain), string(r.at.After), func(generations []account.Generation) error {
		for _, g := range generations {
			if err := r.checkMailbox(ctx, g); err != nil {
				return err
			}
		}
		r.looked++ // an address
		if r.looked < r.entriesBatch() {
			return nil
		}
		if err := r.settleEntries(ctx); err != nil {
			return err
		}
		r.at.Domain, r.at.After = []byte(generations[0].Row.Address.Domain), []byte(generations[0].Row.Address.Local)
		return r.save(ctx)
	})
	if err != nil {
		return err
	}
	return r.settleEntries(ctx)
}

// entriesBatch is the number of entries read until findings are settled.
func (r *checkRun) entriesBatch() int { return max(r.cfg.Batch/25, 1) }

// checkMailbox compares all entries of a mailbox with their contents.
func (r *checkRun) checkMailbox(ctx context.Context, g account.Generation) error {
	if g.Status == account.Moved {
		return nil // its mailbox belongs to another generation, which the run checks
	}
	var after mail.MessageID
	for more := true; more; {
		var rows []mail.Message
		var contents map[mail.MessageID]store.ContentRow
		err := r.try(ctx, func() (err error) {
			rows, more, err = r.mail.ListMessages(ctx, g.Mailbox, after, checkPage)
			if err != nil {
				return err
			}
			var old []mail.MessageID
			for _, row := range rows {
				if !r.young(row.ID) {
					old = append(old, row.ID)
				}
			}
			contents, err = r.upkeep.ContentRows(ctx, old)
			return err
		})
		if err != nil {
			return fmt.Errorf("task: check mailbox %s: %w", g.Mailbox, err)
		}
		if len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].ID
		for _, row := range rows {
			if r.young(row.ID) {
				r.leave(row.ID)
			} else if err := r.compare(ctx, g, row, contents); err != nil {
				return err
			}
		}
		r.at.Report.Entries += int64(len(rows))
		r.metrics.looked.WithLabelValues(phaseEntries).Add(float64(len(rows)))
		r.looked += len(rows)
		r.publish()
		if len(r.entries) >= r.entriesBatch() {
			if err := r.settleEntries(ctx); err != nil {
				return err
			}
		}
		if err := r.pace(ctx, len(rows)); err != nil {
			return err
		}
	}
	return nil
}

// compare compares an entry with its content.
func (r *checkRun) compare(ctx context.Context, g account.Generation, row mail.Message, contents map[mail.MessageID]store.ContentRow) error {
	f := CheckFinding{Message: row.ID, Mailbox: g.Mailbox, Address: g.Row.Address.String()}
	c, there := contents[row.ID]
	size := c.Info.Size + int64(len(row.Header(c.Info.ReversePath)))
	switch {
	case !there:
		f.Kind, f.Detail = KindDangling, "the content is missing"
	case c.Damage != nil && r.foreign(c): // the damage hides the mailboxes: checkContents passes the content over
		f.Kind, f.Detail = KindDamaged, damagedDetail
		r.found(f)
		r.cfg.Logger.Warn("check found damaged content", "message", f.Message.String(), "cause", c.Damage)
		return nil
	case c.Damage != nil:
		return nil // checkContents reports the damage
	case size != row.Size:
		f.Kind, f.Detail = KindMismatch, fmt.Sprintf("%d octets are listed, there are %d", row.Size, size)
	case !slices.Contains(c.Info.Mailboxes, g.Mailbox):
		f.Kind, f.Detail = KindMismatch, "the content is not for this mailbox"
	default:
		return nil
	}
	// A removal of the message meanwhile may have removed the content.
	if there, err := r.listed(ctx, g.Mailbox, row.ID); err != nil || !there {
		return err
	}
	r.entries = append(r.entries, entryCandidate{CheckFinding: f, row: row})
	return nil
}

// listed reports whether a mailbox has an entry of a message.
func (r *checkRun) listed(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (there bool, err error) {
	err = r.try(ctx, func() error {
		_, err := r.mail.Message(ctx, mailbox, id)
		there = err == nil
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("task: look for message %s in mailbox %s: %w", id, mailbox, err)
	}
	return there, nil
}

// settleEntries repairs candidates where possible, and reports all of them.
func (r *checkRun) settleEntries(ctx context.Context) error {
	held := !r.options.Force && r.tooMany(len(r.entries))
	for i, e := range r.entries {
		if r.options.Repair {
			e.Held = held
		}
		if r.options.Repair && !held {
			repair := r.removeDangling
			if e.Kind == KindMismatch {
				repair = r.storeAnew
			}
			switch err := repair(ctx, e); {
			case err == nil:
				e.Repaired = true
			case errors.Is(err, store.ErrCorrupt):
				e.Detail += "; the content cannot be read"
			case errors.Is(err, errGone):
				continue
			default:
				r.entries = r.entries[i:]
				return err
			}
		}
		r.found(e.CheckFinding)
	}
	r.entries, r.looked = nil, 0
	r.publish()
	return nil
}

// removeDangling removes an entry without content.
func (r *checkRun) removeDangling(ctx context.Context, e entryCandidate) error {
	err := r.try(ctx, func() error {
		rows, err := r.upkeep.ContentRows(ctx, []mail.MessageID{e.Message})
		if err != nil {
			return err
		}
		if _, there := rows[e.Message]; there {
			return errGone
		}
		return r.mail.RemoveMessages(ctx, e.Mailbox, []mail.MessageID{e.Message})
	})
	if err != nil {
		return fmt.Errorf("task: remove the entry %s from mailbox %s: %w", e.Message, e.Mailbox, err)
	}
	return nil
}
