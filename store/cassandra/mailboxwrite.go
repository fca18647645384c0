package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
)

// AddMessages implements store.Mailboxes: one write for each entry, several at a time. A bulk mailbox
// costs one more write for the first message of a process, and then one in an hour.
func (m *mailboxes) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	if len(entries) == 1 {
		errs[0] = m.addMessage(ctx, entries[0])
		return errs
	}
	var group errgroup.Group
	group.SetLimit(parallelEntries)
	for i := range entries {
		group.Go(func() error {
			errs[i] = m.addMessage(ctx, entries[i])
			return nil
		})
	}
	_ = group.Wait()
	return errs
}

func (m *mailboxes) addMessage(ctx context.Context, e store.Entry) error {
	row := e.Message
	if row.Origin == "" {
		row.Origin = m.link.origin()
	}
	m.clock.mark.note(row.ID)
	written := false // in another datacenter
	unless := func(err error) error {
		if err != nil && written {
			return fmt.Errorf("%w: the row reached one datacenter, and not the next after a failover: %w", store.ErrOutcomeUnknown, err)
		}
		return err
	}
	for ; ; written = true {
		through := m.link.origin()
		segment, err := m.markers.segmentFor(ctx, e, through, m.at.writes())
		if err != nil {
			return unless(err)
		}
		if err := m.run.exec(ctx, statement{
			cql: insertMessage,
			values: []any{
				gocql.UUID(e.Mailbox), segment, gocql.UUID(row.ID), row.Size, encodeText(row.Recipient), optional(string(row.UIDL)),
				row.Origin, optional(row.Original), row.ID.Micros(),
			},
			consistency: m.at.writes(),
			what:        fmt.Sprintf("add message %s to mailbox %s", row.ID, e.Mailbox),
		}); err != nil || segment == ordinary || m.link.origin() == through {
			return unless(err)
		}
		// Another datacenter took the row after a failover, and may lack the marker.
	}
}

// SetBulk implements store.Directory. The moment is a window after the end of the write.
func (m *mailboxes) SetBulk(ctx context.Context, mailbox mail.MailboxID) (time.Time, error) {
	now, err := m.clock.changeTime(ctx, fmt.Sprintf("make mailbox %s bulk", mailbox))
	if err != nil {
		return time.Time{}, err
	}
	if err := m.markers.write(ctx, mailbox, now+m.cfg.Window.Microseconds(), m.at.writes()); err != nil {
		return time.Time{}, err
	}
	return m.cfg.Now().Add(m.cfg.Window).Truncate(time.Microsecond).UTC(), nil
}
