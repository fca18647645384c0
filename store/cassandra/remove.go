package cassandra

import (
	"context"
	"fmt"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
)

// removeAtOnce is how many messages are removed by two statements.
const removeAtOnce = 500

// RemoveMessages implements store.Mailboxes. The trash is written first: what is removed is
// always known to those who clear up behind.
//
// It costs two writes for every 500 messages: trash, and the ordinary segment. Of a bulk mailbox
// those that a list of this process found in the segment of a day are removed there instead, one
// write for each day. Of all others that may be in either, by what this process knows, both are
// cleared: then a row that is added later stays away wherever it goes.
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
	now := s.moment()
	at := micros(now)
	byHour := map[int][][]any{}
	timestamp := at
	for _, id := range ids {
		hour := s.trashHour(at, id)
		byHour[hour] = append(byHour[hour], []any{
			s.cfg.Datacenter, hour, trashShard(mailbox), gocql.UUID(mailbox), gocql.UUID(id), at, at,
		})
		timestamp = max(timestamp, after(now, id))
	}
	for _, rows := range byHour {
		if err := s.execBatch(ctx, statement{cql: insertTrash, consistency: s.writes(), what: what + ": trash"}, rows); err != nil {
			return err
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelEntries)
	for segment, some := range s.bySegment(mailbox, ids) {
		group.Go(func() error {
			return s.exec(groupCtx, statement{
				cql:         deleteMessages,
				values:      []any{timestamp, gocql.UUID(mailbox), segment, uuids(some)},
				consistency: s.writes(),
				what:        what,
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	s.drained.note(mailbox, len(ids))
	return nil
}

// trashHour is the hour of the trash that the removal of a message belongs to: that of the cluster's
// clock, whatever ours says, but not before the message. So an hour that was worked off gets no
// more removals, those who know the message know where to look, and a message from a clock that
// was ahead keeps no hour from being completed but its own.
func (s *engine) trashHour(at int64, id mail.MessageID) int {
	if latest, err := s.latest(); err == nil {
		at = max(at, micros(latest))
	}
	return hourOf(max(at, id.Micros()))
}

// bySegment lists for each segment the messages that are to be removed there.
func (s *engine) bySegment(mailbox mail.MailboxID, ids []mail.MessageID) map[int][]mail.MessageID {
	segments := map[int][]mail.MessageID{}
	inDay := s.inDays.has(mailbox)
	for _, id := range ids {
		if inDay(id) {
			day := dayOfID(id)
			segments[day] = append(segments[day], id)
			continue
		}
		for _, segment := range s.segmentsOfMessage(mailbox, id) {
			segments[segment] = append(segments[segment], id)
		}
	}
	return segments
}
