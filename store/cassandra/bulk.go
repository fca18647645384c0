package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// markers reads and writes the markers of bulk mailboxes.
type markers struct {
	cfg    Config
	run    *runner
	link   *link
	states *bulkStates
}

// write writes the marker of a mailbox at a consistency of writes.
func (m *markers) write(ctx context.Context, mailbox mail.MailboxID, since int64, writes gocql.Consistency) error {
	id := marker()
	through := m.link.origin()
	if err := m.run.exec(ctx, statement{
		cql:         markBulk,
		values:      []any{gocql.UUID(mailbox), ordinary, gocql.UUID(id), since, id.Micros() - since},
		consistency: writes,
		what:        fmt.Sprintf("make mailbox %s bulk", mailbox),
	}); err != nil {
		return err
	}
	at := micros(m.cfg.Now())
	m.states.change(mailbox, func(b *bulkState) {
		b.noteSince(since)
		b.marked[0], b.through = at, through
		if writes == gocql.EachQuorum {
			b.marked[1] = at
		}
	})
	return nil
}

// markAgain is the interval at which a process writes the marker of a mailbox again. A datacenter that
// missed the marker then has it.
const markAgain = time.Hour

// isFresh reports whether this process has written the marker of a mailbox within markAgain, at a
// consistency of writes, through a datacenter, with a bulk_since not after since.
func (m *markers) isFresh(mailbox mail.MailboxID, since int64, through string, writes gocql.Consistency) bool {
	b, _ := m.states.of(mailbox)
	marked := b.marked[0]
	if writes == gocql.EachQuorum {
		marked = b.marked[1]
	} else if b.through != through {
		return false
	}
	age := micros(m.cfg.Now()) - marked
	return b.since != 0 && b.since <= since && age >= 0 && age < markAgain.Microseconds()
}

// segmentFor returns the segment that a message is added to through a datacenter. The segment depends
// on the entry alone, so that a repeated entry goes to the same segment.
//
// The marker exists before the first row in the segment of a day: each process that uses such a segment
// has written the marker at the same consistency. So a datacenter lists every row that it acknowledged,
// whatever happened to markers of other processes. Errors: store.ErrUnavailable.
func (m *markers) segmentFor(ctx context.Context, e store.Entry, through string, writes gocql.Consistency) (int, error) {
	day, since := dayOfID(e.Message.ID), micros(e.Bulk)
	if e.Bulk.IsZero() || day <= ordinary || e.Message.ID.Micros() < since {
		return ordinary, nil
	}
	if m.isFresh(e.Mailbox, since, through, writes) {
		return day, nil
	}
	err := m.write(ctx, e.Mailbox, since, writes)
	if errors.Is(err, store.ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: %v", store.ErrUnavailable, err) // the outcome of the marker; the message was not written
	}
	return day, err
}

// read reads the bulk_since of a mailbox; zero without a marker.
func (m *markers) read(ctx context.Context, mailbox mail.MailboxID, reads gocql.Consistency) (since int64, err error) {
	var id gocql.UUID
	var found *int64
	if _, err := m.run.readOne(ctx, statement{
		cql: selectBulk, values: []any{gocql.UUID(mailbox), ordinary, gocql.UUID(marker())}, consistency: reads,
		what: fmt.Sprintf("read whether mailbox %s is bulk", mailbox),
	}, &id, &found); err != nil || found == nil {
		return 0, err
	}
	return *found, nil
}
