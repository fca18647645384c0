package cassandra

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
)

// removeAtOnce is the count of messages removed by two statements.
const removeAtOnce = 500

// RemoveMessages implements store.Mailboxes. The trash is written first: the sweep knows every
// removal.
//
// A removal costs two writes for every 500 messages: trash, and the ordinary segment; while clocks disagree, another
// write of trash (see clockWatch.removalTime). Messages of a
// bulk mailbox that a list of this process found only in the segment of a day are removed there, with
// one write for each day. All other messages are removed from both possible segments, so that a row
// added later stays away in either.
func (m *mailboxes) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	if err := m.run.ready(ctx, "remove messages"); err != nil {
		return err
	}
	for some := range slices.Chunk(ids, removeAtOnce) {
		rows := make([]mail.Message, len(some))
		for i, id := range some {
			rows[i].ID = id
		}
		if err := m.removeSome(ctx, mailbox, rows); err != nil {
			return err
		}
	}
	return nil
}

// RemoveListed implements store.Removals, at the cost of RemoveMessages.
func (m *mailboxes) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	if err := m.run.ready(ctx, "remove messages"); err != nil {
		return err
	}
	for some := range slices.Chunk(rows, removeAtOnce) {
		if err := m.removeSome(ctx, mailbox, some); err != nil {
			return err
		}
	}
	return nil
}

// trashStatement is the statement, and the hour, of some removals.
type trashStatement struct {
	cql  string
	hour int
}

func (a trashStatement) compare(b trashStatement) int {
	return cmp.Or(cmp.Compare(a.hour, b.hour), strings.Compare(a.cql, b.cql))
}

// removeSome removes some rows. A row without size is removed by its id alone: the trash then keeps the
// row that an earlier removal has put there.
func (m *mailboxes) removeSome(ctx context.Context, mailbox mail.MailboxID, removed []mail.Message) error {
	ids := make([]mail.MessageID, len(removed))
	var newest time.Time
	for i, row := range removed {
		ids[i] = row.ID
		newest = later(newest, row.ID.Time())
	}
	what := fmt.Sprintf("remove %d messages from mailbox %s", len(ids), mailbox)
	when := m.clock.removalTime(newest)
	at := micros(when.at)
	inserts := map[trashStatement][][]any{}
	timestamp := at
	for _, row := range removed {
		last := trashHour(when.last, row.ID)
		values := []any{m.cfg.Datacenter, last, trashShard(mailbox), gocql.UUID(mailbox), gocql.UUID(row.ID), at}
		insert, insertDoubtful := insertBareTrash, insertDoubtfulBareTrash
		if row.Size > 0 {
			insert, insertDoubtful = insertTrash, insertDoubtfulTrash
			values = append(values, row.AppendRow(nil))
		}
		values = append(values, at)
		st := trashStatement{cql: insert, hour: last}
		inserts[st] = append(inserts[st], values)
		if first := trashHour(when.first, row.ID); first < last {
			doubtful := append(slices.Clone(values), ttlSeconds(when.last, doubtfulTrash))
			doubtful[1] = first
			st = trashStatement{cql: insertDoubtful, hour: first}
			inserts[st] = append(inserts[st], doubtful)
		}
		timestamp = max(timestamp, after(when.at, row.ID))
	}
	for _, st := range slices.SortedFunc(maps.Keys(inserts), trashStatement.compare) {
		if err := m.run.execBatch(ctx, statement{cql: st.cql, consistency: m.at.writes(), what: what + ": trash"}, inserts[st]); err != nil {
			return err
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(parallelEntries)
	segments := m.bySegment(mailbox, ids)
	for _, segment := range slices.Sorted(maps.Keys(segments)) {
		group.Go(func() error {
			return m.run.exec(groupCtx, statement{
				cql:         deleteMessages,
				values:      []any{timestamp, gocql.UUID(mailbox), segment, uuids(segments[segment])},
				consistency: m.at.writes(),
				what:        what,
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	m.removals.note(mailbox, ids, m.cfg.Now())
	return nil
}

// doubtfulTrash is how long the trash of the first of two times stays: until the last time has come, and a day
// more. If the first time is wrong, its hour may have been swept before, and is not swept again.
const doubtfulTrash = lateTrash + 24*time.Hour

// trashHour returns the hour of the trash that a removal at a moment belongs to, see
// clockWatch.removalTime: at least the hour of the message. So an hour that was swept gets no more
// removals, and the search for a removal begins at the hour of the message. A message from a clock that was
// ahead delays the completion of its own hour only.
func trashHour(at time.Time, id mail.MessageID) int { return hourOf(max(micros(at), id.Micros())) }

// bySegment lists the messages to be removed from each segment.
func (m *mailboxes) bySegment(mailbox mail.MailboxID, ids []mail.MessageID) map[int][]mail.MessageID {
	segments := map[int][]mail.MessageID{}
	inDayOnly := m.dayOnly.has(mailbox)
	for _, id := range ids {
		if inDayOnly(id) {
			day := dayOfID(id)
			segments[day] = append(segments[day], id)
			continue
		}
		for _, segment := range m.states.segmentsOf(mailbox, id) {
			segments[segment] = append(segments[segment], id)
		}
	}
	return segments
}
