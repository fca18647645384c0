package cassandra

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
)

// AddMessages implements store.Mailboxes: one write for each entry, several at a time. A bulk
// mailbox costs one more for the first message of a process, and then one in an hour.
func (s *Store) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := make([]error, len(entries))
	if len(entries) == 1 {
		errs[0] = s.addMessage(ctx, entries[0])
		return errs
	}
	var group errgroup.Group
	group.SetLimit(parallelEntries)
	for i := range entries {
		group.Go(func() error {
			errs[i] = s.addMessage(ctx, entries[i])
			return nil
		})
	}
	_ = group.Wait()
	return errs
}

func (s *Store) addMessage(ctx context.Context, e store.Entry) error {
	m := e.Message
	if m.Origin == "" {
		m.Origin = s.origin()
	}
	s.watch.note(m.ID)
	for {
		through := s.origin()
		segment, err := s.segmentFor(ctx, e, through)
		if err != nil {
			return err
		}
		if err := s.exec(ctx, statement{
			cql: insertMessage,
			values: []any{
				gocql.UUID(e.Mailbox), segment, gocql.UUID(m.ID), m.Size, encodeText(m.Recipient), optional(string(m.UIDL)),
				m.Origin, m.ID.Micros(),
			},
			consistency: s.writes(),
			what:        fmt.Sprintf("add message %s to mailbox %s", m.ID, e.Mailbox),
		}); err != nil || segment == ordinary || s.origin() == through {
			return err
		}
		// Another datacenter took it meanwhile: its marker may be missing there.
	}
}

// Message implements store.Mailboxes: one read, or two where it is not known in which of two
// segments the message is.
func (s *Store) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (m mail.Message, err error) {
	what := fmt.Sprintf("read message %s of mailbox %s", id, mailbox)
	for _, segment := range s.segmentsOfMessage(mailbox, id) {
		found := false
		if _, err := s.read(ctx, statement{
			cql: selectMessage, values: []any{gocql.UUID(mailbox), segment, gocql.UUID(id)}, consistency: s.reads(), what: what,
		}, 2, nil, func(scan func(...any) error) (err error) {
			m, found, _, err = scanMessage(scan)
			return err
		}); err != nil {
			return mail.Message{}, err
		}
		if found {
			return m, nil
		}
	}
	return mail.Message{}, fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
}
