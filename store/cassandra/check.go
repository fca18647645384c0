package cassandra

import (
	"context"
	"time"

	"popelago/mail"
	"popelago/store"
)

// checks implements store.Checks at one level.
type checks struct {
	at      level
	cfg     Config
	run     *runner
	floors  *floors
	sweeper *sweeper
}

// Trashed implements store.Checks. The trash has no index by message: the mailboxes and the time of a
// message select the partitions to read.
func (k *checks) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error) {
	if err := k.run.ready(ctx, "look into the trash"); err != nil {
		return nil, err
	}
	asked := make(map[mail.MessageID]stored, len(contents))
	for id, mailboxes := range contents {
		asked[id] = stored{recipients: mailboxes}
	}
	found, err := k.sweeper.newRun(k.cfg.Now()).searchTrash(ctx, asked)
	if err != nil {
		return nil, err
	}
	for _, o := range found.unread {
		return nil, o.err
	}
	return found.by, nil
}

// Floor implements store.Checks.
func (k *checks) Floor(ctx context.Context, mailbox mail.MailboxID) (mail.MessageID, error) {
	floor, _, err := k.floors.read(ctx, mailbox, k.at.reads())
	if floor == firstID() {
		floor = mail.MessageID{}
	}
	return floor, err
}

// HoldFloor implements store.Checks.
func (k *checks) HoldFloor(ctx context.Context, mailbox mail.MailboxID) error {
	return k.floors.hold(ctx, mailbox, k.at.writes())
}

// RemoveOrphans implements store.Checks, with the proofs of the scan for orphans.
func (k *checks) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (store.SweepReport, error) {
	if err := k.run.ready(ctx, "remove orphans"); err != nil {
		return store.SweepReport{}, err
	}
	if err := k.sweeper.MayReclaim(); err != nil {
		return store.SweepReport{}, err
	}
	if err := k.sweeper.windows.fresh(); err != nil {
		return store.SweepReport{}, err
	}
	r := &orphanRun{sweepRun: k.sweeper.newRun(olderThan)}
	var ids []mail.MessageID
	var parts []part
	for _, c := range contents {
		switch {
		case c.ID.Micros() >= r.before:
		case c.Parts == nil:
			ids = append(ids, c.ID)
		default:
			for _, n := range c.Parts {
				parts = append(parts, part{c.ID, n})
			}
		}
	}
	wholes, unread, err := r.contents(ctx, ids)
	if err != nil {
		return r.report, err
	}
	r.addBlocked(len(unread))
	if wholes, err = r.unlisted(ctx, wholes); err != nil {
		return r.report, err
	}
	if err := r.removeParts(ctx, parts); err != nil {
		return r.report, err
	}
	if err := r.removeOrphans(ctx, wholes, 0); err != nil {
		return r.report, err
	}
	return r.report, r.tally.verdict()
}
