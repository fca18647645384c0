package cassandra

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
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
	floor := firstID()
	var stored gocql.UUID
	found, err := s.readOne(ctx, statement{
		cql: selectFloor, values: []any{gocql.UUID(mailbox)}, consistency: gocql.LocalQuorum,
		what: fmt.Sprintf("read the floor of mailbox %s", mailbox),
	}, &stored)
	if err != nil {
		return mail.MessageID{}, err
	}
	if id := mail.MessageID(stored); found && id.Compare(floor) > 0 {
		floor = id
	}
	s.floors.Set(mailbox, floor)
	return floor, nil
}
