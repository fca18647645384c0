package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// parallelFloors is the count of mailboxes looked at at the same time.
const parallelFloors = 4

// floorRun raises floors.
type floorRun struct{ *sweepRun }

// raiseAll looks at the mailboxes with at least Config.FloorEvery removals of messages older than the
// in-flight window. Without the heartbeats no floor rises, see windowCheck.fresh.
func (r *floorRun) raiseAll(ctx context.Context, report *store.FloorReport) error {
	mailboxes := r.removals.take(r.cfg.FloorEvery, r.now)
	open := map[mail.MailboxID]bool{} // not looked at, or in vain
	for _, mailbox := range mailboxes {
		open[mailbox] = true
	}
	err := r.windows.fresh()
	if err == nil {
		err = r.raiseThese(ctx, mailboxes, open, report)
	}
	for mailbox := range open {
		r.removals.lookAgain(mailbox)
		r.noteStuck(mailbox)
	}
	return err
}

// raiseThese looks at mailboxes, and removes those that it has looked at from open.
func (r *floorRun) raiseThese(ctx context.Context, mailboxes []mail.MailboxID, open map[mail.MailboxID]bool, report *store.FloorReport) error {
	remaining := len(mailboxes)
	return atOnce(ctx, parallelFloors, mailboxes, func(ctx context.Context, mailbox mail.MailboxID) error {
		raised, err := r.raise(ctx, mailbox)
		o, err := r.tally.proof(ctx, statement{}, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case o != nil:
			report.Blocked++
		case err == nil:
			delete(open, mailbox)
			report.Mailboxes++
			if raised {
				report.Raised++
				r.removals.raised(mailbox)
			} else {
				r.noteStuck(mailbox)
			}
		}
		remaining--
		soFar := *report
		soFar.Remaining = remaining
		store.Show(ctx, soFar)
		return err
	})
}

// noteStuck makes a mailbox a candidate for bulk if its floor could not rise during too many removals.
func (r *floorRun) noteStuck(mailbox mail.MailboxID) {
	if state, known := r.states.of(mailbox); known {
		r.candidates.noteStuck(mailbox, r.removals.stuck(mailbox), state)
	}
}

// raise raises the floor of a mailbox to just below its first message, or to the beginning of the
// in-flight window. All segments below were read at ALL, and no message was alive there. No message can
// be added there later, because an id is made when its message is stored.
//
// An exception is the recovery of lost rows below the new floor: then the floor is held (see
// floors.hold) and stays. The hold is read last. The writes that follow take half of the pause of hold,
// or are given up.
//
// The range below the floor is removed with one range tombstone in each segment, so that compaction can
// drop the tombstones of single removals. The floor is written afterwards.
func (r *floorRun) raise(ctx context.Context, mailbox mail.MailboxID) (raised bool, err error) {
	from, _, err := r.floors.read(ctx, mailbox, gocql.All)
	if err != nil {
		return false, err
	}
	floor := mail.MinMessageID(r.now.Add(-r.cfg.Window))
	if floor.Compare(from) <= 0 {
		return false, nil
	}
	since, err := r.markers.read(ctx, mailbox, gocql.All)
	if err != nil {
		return false, err
	}
	below := listing{mailbox: mailbox, from: from, upTo: floor, limit: 1, level: gocql.All}
	first, err := r.lister.list(ctx, below, since)
	if err != nil {
		return false, err
	}
	if len(first.rows) > 0 {
		floor = mail.MinMessageID(first.rows[0].ID.Time().Add(-time.Microsecond))
		if floor.Compare(from) <= 0 {
			return false, nil
		}
		below.upTo = floor
	}
	segments := []int{ordinary}
	if since != 0 {
		day, last, err := r.lister.days(below, since)
		if err != nil {
			return false, err
		}
		for ; day <= last; day++ {
			segments = append(segments, day)
		}
	}
	if held, err := r.floors.isHeld(ctx, mailbox); held || err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, floorWrites)
	defer cancel()
	for _, segment := range segments {
		if err := r.run.exec(ctx, statement{
			cql: deleteBelow, values: []any{micros(r.now.Add(2 * store.MaxClockSkew)), gocql.UUID(mailbox), segment, gocql.UUID(floor)},
			consistency: gocql.LocalQuorum, what: fmt.Sprintf("raise the floor of mailbox %s", mailbox),
		}); err != nil {
			return false, err
		}
	}
	err = r.floors.write(ctx, mailbox, floor)
	return err == nil, err
}
