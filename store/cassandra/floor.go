package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// floor returns an id of a mailbox below which nothing is alive, for reading less. It is read
// once in a while: one that has risen since only means to read more than necessary.
func (s *Store) floor(ctx context.Context, mailbox mail.MailboxID) (mail.MessageID, error) {
	if err := s.enter(ctx, "read a floor"); err != nil {
		return mail.MessageID{}, err
	}
	s.leave()
	if floor, known := s.floors.GetIfPresent(mailbox); known {
		return floor, nil
	}
	floor, _, err := s.readFloor(ctx, mailbox, s.reads())
	if err == nil {
		s.floors.Set(mailbox, floor)
	}
	return floor, err
}

// readFloor reads a floor, and until when it must not rise.
func (s *engine) readFloor(ctx context.Context, mailbox mail.MailboxID, level gocql.Consistency) (floor mail.MessageID, held time.Time, err error) {
	var stored gocql.UUID
	var until *int64
	found, err := s.readOne(ctx, statement{
		cql: selectFloor, values: []any{gocql.UUID(mailbox)}, consistency: level,
		what: fmt.Sprintf("read the floor of mailbox %s", mailbox),
	}, &stored, &until)
	if err != nil {
		return mail.MessageID{}, time.Time{}, err
	}
	if floor = mail.MessageID(stored); !found || floor.Compare(firstID()) < 0 {
		floor = firstID()
	}
	return floor, moment(until), nil
}

// RaiseFloors implements store.Background. It raises the floors of mailboxes that this server
// has removed much from, and tells which ones have grown.
func (s *Store) RaiseFloors(ctx context.Context) (report store.FloorReport, err error) {
	_, err = s.inBackground(ctx, &s.sweeping.floors, s.now(), func(r *sweeper, ctx context.Context) error {
		err := r.raiseFloors(ctx, &report)
		report.Grown = r.grown.take()
		return err
	})
	return report, err
}

func (r *sweeper) raiseFloors(ctx context.Context, report *store.FloorReport) error {
	mailboxes := r.drained.take(r.cfg.FloorEvery)
	open := map[mail.MailboxID]bool{} // not looked at yet, or in vain
	for _, mailbox := range mailboxes {
		open[mailbox] = true
	}
	err := atOnce(ctx, parallelFloors, mailboxes, func(ctx context.Context, mailbox mail.MailboxID) error {
		raised, err := r.raiseFloor(ctx, mailbox)
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
				r.drained.raised(mailbox)
			} else {
				r.noteStuck(mailbox)
			}
		}
		return err
	})
	for mailbox := range open {
		r.drained.look(mailbox)
		r.noteStuck(mailbox)
	}
	return err
}

// parallelFloors is how many mailboxes are looked at at the same time.
const parallelFloors = 4

// raiseFloor raises the floor of a mailbox to just below its first message, or to the beginning
// of the in-flight window. What is below was read at ALL, in all segments, and nothing was alive
// there; nothing new can come there, because ids are made when the message is stored.
//
// Somebody may be about to add again what was lost, below the new floor: then the floor is held (see
// HoldFloor), and stays. That is read last. What follows takes half of the time that HoldFloor
// waits, or is given up.
//
// The range below is removed in one piece in each segment, so that compaction need not keep what
// was removed one by one. Then the floor is written, with its own time as timestamp: a lower one
// never replaces a higher.
func (r *sweeper) raiseFloor(ctx context.Context, mailbox mail.MailboxID) (raised bool, err error) {
	from, _, err := r.readFloor(ctx, mailbox, gocql.All)
	if err != nil {
		return false, err
	}
	floor := mail.MinMessageID(r.now.Add(-r.cfg.Window))
	if floor.Compare(from) <= 0 {
		return false, nil
	}
	since, err := r.readSince(ctx, mailbox, gocql.All)
	if err != nil {
		return false, err
	}
	below := listing{mailbox: mailbox, from: from, upTo: floor, limit: 1, level: gocql.All}
	first, err := r.list(ctx, below, since)
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
	what := fmt.Sprintf("raise the floor of mailbox %s", mailbox)
	segments := []int{ordinary}
	if since != 0 {
		day, last, err := r.days(below, since)
		if err != nil {
			return false, err
		}
		for ; day <= last; day++ {
			segments = append(segments, day)
		}
	}
	if held, err := r.isHeld(ctx, mailbox); held || err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, floorWrites)
	defer cancel()
	for _, segment := range segments {
		if err := r.exec(ctx, statement{
			cql: deleteBelow, values: []any{micros(r.now.Add(2 * store.MaxClockSkew)), gocql.UUID(mailbox), segment, gocql.UUID(floor)},
			consistency: gocql.LocalQuorum, what: what,
		}); err != nil {
			return false, err
		}
	}
	if err := r.exec(ctx, statement{
		cql: insertFloor, values: []any{gocql.UUID(mailbox), gocql.UUID(floor), floor.Micros()},
		consistency: gocql.LocalQuorum, what: what,
	}); err != nil {
		return false, err
	}
	r.floors.Set(mailbox, floor)
	return true, nil
}
