package cassandra

import (
	"context"
	"fmt"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// removeAtOnce is how many messages are removed by two statements.
const removeAtOnce = 500

// RemoveMessages implements store.Mailboxes. The trash is written first: what is removed is
// always known to those who clear up behind.
func (s *Store) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	if err := s.enter(ctx, "remove messages"); err != nil {
		return err
	}
	s.leave()
	for some := range slices.Chunk(ids, removeAtOnce) {
		if err := s.removeSome(ctx, mailbox, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) removeSome(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	what := fmt.Sprintf("remove %d messages from mailbox %s", len(ids), mailbox)
	now := s.now()
	at := micros(now)
	rows := make([][]any, len(ids))
	timestamp := at
	for i, id := range ids {
		rows[i] = []any{
			s.cfg.Datacenter, hourOf(at), trashShard(mailbox), gocql.UUID(mailbox), gocql.UUID(id), at, at,
		}
		timestamp = max(timestamp, after(now, id))
	}
	err := s.execBatch(ctx, statement{cql: insertTrash, consistency: s.writes(), what: what + ": trash"}, rows)
	if err != nil {
		return err
	}
	if err := s.exec(ctx, statement{
		cql:         deleteMessages,
		values:      []any{timestamp, gocql.UUID(mailbox), segment, uuids(ids)},
		consistency: s.writes(),
		what:        what,
	}); err != nil {
		return err
	}
	s.drained.note(mailbox, len(ids))
	return nil
}
