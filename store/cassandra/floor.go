package cassandra

import (
	"context"
	"fmt"
	"maps"
	"sync"
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
	floor, err := s.readFloor(ctx, mailbox, s.reads())
	if err == nil {
		s.floors.Set(mailbox, floor)
	}
	return floor, err
}

func (s *engine) readFloor(ctx context.Context, mailbox mail.MailboxID, level gocql.Consistency) (mail.MessageID, error) {
	var stored gocql.UUID
	found, err := s.readOne(ctx, statement{
		cql: selectFloor, values: []any{gocql.UUID(mailbox)}, consistency: level,
		what: fmt.Sprintf("read the floor of mailbox %s", mailbox),
	}, &stored)
	if err != nil {
		return mail.MessageID{}, err
	}
	if floor := mail.MessageID(stored); found && floor.Compare(firstID()) > 0 {
		return floor, nil
	}
	return firstID(), nil
}

// drained counts the removals of each mailbox since its floor was last looked at. It is only
// about when to look: what is forgotten at a restart is noticed with later removals.
type drained struct {
	mu     sync.Mutex
	counts map[mail.MailboxID]int
}

// maxDrained bounds the memory of drained.
const maxDrained = 100_000

func (d *drained) note(mailbox mail.MailboxID, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil || len(d.counts) > maxDrained {
		d.counts = map[mail.MailboxID]int{}
	}
	d.counts[mailbox] += n
}

// take returns the mailboxes with at least so many removals, and forgets their counts.
func (d *drained) take(least int) []mail.MailboxID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []mail.MailboxID
	maps.DeleteFunc(d.counts, func(mailbox mail.MailboxID, n int) bool {
		if n >= least {
			list = append(list, mailbox)
		}
		return n >= least
	})
	return list
}

// RaiseFloors implements store.Background. It raises the floors of mailboxes that this server
// has removed much from.
func (s *Store) RaiseFloors(ctx context.Context) (report store.FloorReport, err error) {
	_, err = s.inBackground(ctx, &s.sweeping.floors, s.now(), func(r *sweeper, ctx context.Context) error {
		return r.raiseFloors(ctx, &report)
	})
	return report, err
}

func (r *sweeper) raiseFloors(ctx context.Context, report *store.FloorReport) error {
	mailboxes := r.drained.take(r.cfg.FloorEvery)
	for i, mailbox := range mailboxes {
		raised, err := r.raiseFloor(ctx, mailbox)
		if err != nil {
			for _, later := range mailboxes[i:] {
				r.drained.note(later, r.cfg.FloorEvery)
			}
			return err
		}
		report.Mailboxes++
		if raised {
			report.Raised++
		}
	}
	return nil
}

// raiseFloor raises the floor of a mailbox to just below its first message, or to the beginning
// of the in-flight window. What is below was read at ALL, and nothing was alive there; nothing
// new can come there, because ids are made when the message is stored.
//
// The floor is written with its own time as timestamp: a lower one never replaces a higher.
// The range below is then removed in one piece, so that compaction need not keep what was
// removed one by one.
func (r *sweeper) raiseFloor(ctx context.Context, mailbox mail.MailboxID) (raised bool, err error) {
	from, err := r.readFloor(ctx, mailbox, gocql.All)
	if err != nil {
		return false, err
	}
	floor := mail.MinMessageID(r.now.Add(-r.cfg.Window))
	if floor.Compare(from) <= 0 {
		return false, nil
	}
	rows, _, err := r.listRows(ctx, mailbox, from, floor, 1, gocql.All)
	if err != nil {
		return false, err
	}
	if len(rows) > 0 {
		floor = mail.MinMessageID(rows[0].ID.Time().Add(-time.Microsecond))
		if floor.Compare(from) <= 0 {
			return false, nil
		}
	}
	what := fmt.Sprintf("raise the floor of mailbox %s", mailbox)
	if err := r.exec(ctx, statement{
		cql: insertFloor, values: []any{gocql.UUID(mailbox), gocql.UUID(floor), floor.Micros()},
		consistency: gocql.LocalQuorum, what: what,
	}); err != nil {
		return false, err
	}
	r.floors.Set(mailbox, floor)
	return true, r.exec(ctx, statement{
		cql: deleteBelow, values: []any{micros(r.now.Add(2 * clockSkew)), gocql.UUID(mailbox), segment, gocql.UUID(floor)},
		consistency: gocql.LocalQuorum, what: what,
	})
}
