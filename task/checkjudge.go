package task

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// verdict is a content that lacks entries, with the reasons.
type verdict struct {
	contentCandidate
	// unclear are the lacking mailboxes without a trace of a removal.
	unclear []mail.MailboxID
	// open are the mailboxes that should list the content: no trace of a removal, and the account
	// would keep the message.
	open []account.Generation
	// settled is the number of lacking mailboxes with a reason.
	settled int
	// trashed: a removal that is not reclaimed yet names the content.
	trashed bool
	// torn: the content has become damaged since it was listed.
	torn bool
}

// orphan reports whether no mailbox lists a content and no removal names the content.
func (v verdict) orphan() bool { return v.Parts != nil || !v.listed && !v.trashed }

// settleContents judges the contents that lack entries, repairs findings where possible, and reports
// all of them.
func (r *checkRun) settleContents(ctx context.Context) error {
	if r.options.Rebuild && len(r.contents) > 0 {
		if err := r.holdFloor(ctx); err != nil {
			return err
		}
	}
	verdicts, err := r.judge(ctx)
	if err != nil {
		return err
	}
	if r.options.Rebuild {
		err = r.rebuildEntries(ctx, verdicts)
	} else {
		err = r.settleOrphans(ctx, verdicts)
	}
	if err != nil {
		return err
	}
	r.contents, r.weight, r.looked = nil, 0, 0
	r.publish()
	return nil
}

// judge finds the reasons that contents lack entries. The order of reads matters: first the entries,
// before judge, then the trash, then the contents, which name the mailboxes that removed them. A
// removal writes the trash before it removes the entry, and the sweep writes the content before it
// removes the trash: so no removal escapes all three reads.
func (r *checkRun) judge(ctx context.Context) ([]verdict, error) {
	if len(r.contents) == 0 {
		return nil, nil
	}
	ids := make([]mail.MessageID, len(r.contents))
	recipients := map[mail.MessageID][]mail.MailboxID{}
	for i, c := range r.contents {
		ids[i] = c.ID
		recipients[c.ID] = c.Info.Mailboxes
	}
	var trashed map[mail.MessageID][]mail.MailboxID
	var now map[mail.MessageID]store.ContentRow
	err := r.try(ctx, func() (err error) {
		if trashed, err = r.upkeep.Trashed(ctx, recipients); err != nil {
			return err
		}
		now = make(map[mail.MessageID]store.ContentRow, len(ids))
		for some := range slices.Chunk(ids, checkPage) {
			rows, err := r.upkeep.ContentRows(ctx, some)
			if err != nil {
				return err
			}
			for id, c := range rows {
				now[id] = c
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("task: find the removals of messages: %w", err)
	}
	var verdicts []verdict
	suspects := map[mail.MailboxID]bool{}
	for _, c := range r.contents {
		latest, there := now[c.ID]
		if there == (c.Parts != nil) {
			continue // the content is gone, or has become whole
		}
		v := verdict{contentCandidate: c, trashed: len(trashed[c.ID]) > 0, torn: c.Damage == nil && latest.Damage != nil}
		v.unclear = slices.DeleteFunc(slices.Clone(c.lacking), func(m mail.MailboxID) bool {
			return slices.Contains(latest.Removed, m) || slices.Contains(trashed[c.ID], m)
		})
		v.settled = len(c.lacking) - len(v.unclear)
		for _, m := range v.unclear {
			suspects[m] = true
		}
		verdicts = append(verdicts, v)
	}
	return verdicts, r.findOpen(ctx, verdicts, suspects)
}

// findOpen finds the mailboxes that lack an entry and should have the entry.
func (r *checkRun) findOpen(ctx context.Context, verdicts []verdict, suspects map[mail.MailboxID]bool) error {
	generations, err := r.generationsAmong(ctx, suspects)
	if err != nil {
		return err
	}
	floors := map[mail.MailboxID]mail.MessageID{}
	for i := range verdicts {
		v := &verdicts[i]
		for _, m := range v.unclear {
			g, known := generations[m]
			if !known || !g.Keeps(v.ID, r.cfg.Now()) {
				v.settled++
				continue
			}
			floor, read := floors[m]
			if !read {
				err := r.try(ctx, func() (err error) { floor, err = r.upkeep.Floor(ctx, m); return err })
				if err != nil {
					return fmt.Errorf("task: read the floor of mailbox %s: %w", m, err)
				}
				floors[m] = floor
			}
			if !floor.IsZero() && v.ID.Compare(floor) <= 0 {
				v.settled++
				continue
			}
			v.open = append(v.open, g)
		}
	}
	return nil
}

// settleOrphans removes orphans with CheckOptions.Repair, and reports all findings. A mailbox that
// lacks many entries has lost them: settleOrphans keeps the contents of such a mailbox.
func (r *checkRun) settleOrphans(ctx context.Context, verdicts []verdict) error {
	missing := map[mail.MailboxID]int{}
	n := 0
	for _, v := range verdicts {
		if len(v.open) > 0 {
			n++
		}
		for _, g := range v.open {
			missing[g.Mailbox]++
		}
	}
	many := r.tooMany(n)
	lost := func(g account.Generation) bool { return many || missing[g.Mailbox] > r.cfg.BrakeCount }
	held := func(v verdict) bool {
		return r.options.Repair && !r.options.Force && slices.ContainsFunc(v.open, lost)
	}
	var orphans []verdict
	for _, v := range verdicts {
		if v.orphan() && r.options.Repair && !held(v) {
			orphans = append(orphans, v)
		}
	}
	gone, err := r.removeOrphans(ctx, orphans)
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.orphan() {
			r.found(CheckFinding{Kind: KindOrphan, Message: v.ID, Detail: v.why(), Repaired: gone[v.ID], Held: held(v)})
			continue
		}
		for _, g := range v.open {
			r.found(CheckFinding{
				Kind: KindUnlisted, Message: v.ID, Mailbox: g.Mailbox, Address: g.Row.Address.String(), Held: lost(g),
				Detail: "stored for this mailbox too, but neither listed nor known to be removed",
			})
		}
	}
	return nil
}

// why returns the reason that a content is an orphan, as far as known.
func (v verdict) why() string {
	switch {
	case v.Parts != nil:
		return "part of a content without its beginning"
	case len(v.open) == 0 && v.settled > 0:
		return "all its mailboxes removed it, or keep it no longer"
	case len(v.open) == 0:
		return "for no mailbox"
	}
	names := make([]string, 0, 3)
	for _, g := range v.open {
		if len(names) == cap(names) {
			return fmt.Sprintf("not listed for %s and %d others", strings.Join(names, ", "), len(v.open)-len(names))
		}
		names = append(names, g.Row.Address.String())
	}
	return "not listed for " + strings.Join(names, ", ")
}

// removeOrphans removes orphans and returns the ids of the removed contents.
func (r *checkRun) removeOrphans(ctx context.Context, orphans []verdict) (map[mail.MessageID]bool, error) {
	gone := map[mail.MessageID]bool{}
	for some := range slices.Chunk(orphans, checkPage) {
		rows := make([]store.ContentRow, len(some))
		ids := make([]mail.MessageID, len(some))
		for i, v := range some {
			rows[i], ids[i] = v.ContentRow, v.ID
		}
		var left map[mail.MessageID]store.ContentRow
		err := r.try(ctx, func() error {
			if _, err := r.upkeep.RemoveOrphans(ctx, rows, r.before); err != nil {
				return err
			}
			var err error
			left, err = r.upkeep.ContentRows(ctx, ids)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("task: remove orphans: %w", err)
		}
		for _, id := range ids {
			if _, there := left[id]; !there {
				gone[id] = true
			}
		}
	}
	return gone, nil
}
