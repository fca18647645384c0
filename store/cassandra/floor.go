package cassandra

import (
	"context"
	"fmt"
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

// drained counts the removals of each mailbox. It is only about when to look: what is forgotten
// at a restart is noticed with later removals.
type drained struct {
	mu     sync.Mutex
	counts map[mail.MailboxID]drain
}

// drain counts removals from a mailbox.
type drain struct {
	due   int // since it was last looked whether its floor can rise
	stuck int // since its floor rose
}

// maxDrained bounds the memory of drained.
const maxDrained = 100_000

// note counts removals.
func (d *drained) note(mailbox mail.MailboxID, n int) {
	d.change(mailbox, func(c *drain) { c.due += n; c.stuck += n })
}

// look asks that the floor of a mailbox be looked at.
func (d *drained) look(mailbox mail.MailboxID) {
	d.change(mailbox, func(c *drain) { c.due = max(c.due, 1<<30) })
}

func (d *drained) change(mailbox mail.MailboxID, change func(*drain)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil || len(d.counts) > maxDrained {
		d.counts = map[mail.MailboxID]drain{}
	}
	c := d.counts[mailbox]
	change(&c)
	d.counts[mailbox] = c
}

// take returns the mailboxes with at least so many removals, and forgets that they are due.
func (d *drained) take(least int) []mail.MailboxID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []mail.MailboxID
	for mailbox, c := range d.counts {
		if c.due >= least {
			list = append(list, mailbox)
			d.counts[mailbox] = drain{stuck: c.stuck}
		}
	}
	return list
}

// raised forgets a mailbox whose floor rose, but for removals since it was taken.
func (d *drained) raised(mailbox mail.MailboxID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if due := d.counts[mailbox].due; due > 0 {
		d.counts[mailbox] = drain{due: due, stuck: due}
	} else {
		delete(d.counts, mailbox)
	}
}

// stuck is how many removals there were since the floor of a mailbox rose.
func (d *drained) stuck(mailbox mail.MailboxID) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[mailbox].stuck
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
	for i, mailbox := range mailboxes {
		raised, err := r.raiseFloor(ctx, mailbox)
		if err != nil {
			for _, later := range mailboxes[i:] {
				r.drained.look(later)
				r.noteStuck(later)
			}
			return err
		}
		report.Mailboxes++
		if raised {
			report.Raised++
			r.drained.raised(mailbox)
		} else {
			r.noteStuck(mailbox)
		}
	}
	return nil
}

// raiseFloor raises the floor of a mailbox to just below its first message, or to the beginning
// of the in-flight window. What is below was read at ALL, in all segments, and nothing was alive
// there; nothing new can come there, because ids are made when the message is stored.
//
// The range below is removed in one piece in each segment, so that compaction need not keep what
// was removed one by one. Then the floor is written, with its own time as timestamp: a lower one
// never replaces a higher.
func (r *sweeper) raiseFloor(ctx context.Context, mailbox mail.MailboxID) (raised bool, err error) {
	from, err := r.readFloor(ctx, mailbox, gocql.All)
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
	for _, segment := range segments {
		if err := r.exec(ctx, statement{
			cql: deleteBelow, values: []any{micros(r.now.Add(2 * clockSkew)), gocql.UUID(mailbox), segment, gocql.UUID(floor)},
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
