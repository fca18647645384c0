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

// segment is the only one in use so far.
const segment = 0

// AddMessages implements store.Mailboxes: one write for each entry, several at a time.
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
	return s.exec(ctx, statement{
		cql: insertMessage,
		values: []any{
			gocql.UUID(e.Mailbox), segment, gocql.UUID(m.ID), m.Size, encodeText(m.Recipient), optional(string(m.UIDL)),
			m.Origin, m.ID.Micros(),
		},
		consistency: s.writes(),
		what:        fmt.Sprintf("add message %s to mailbox %s", m.ID, e.Mailbox),
	})
}

// firstID is below all ids.
func firstID() mail.MessageID {
	return mail.MinMessageID(time.Date(1582, 10, 15, 0, 0, 0, 0, time.UTC))
}

// maxPage is the largest count of rows read by one statement.
const maxPage = 5000

// ListMessages implements store.Mailboxes.
//
// One statement reads one page. Where removals lie so close that a replica would have to skip
// more of them than it may, the page is read in slices of time, each half as long as the one
// that failed.
func (s *Store) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	limit = min(max(limit, 1), maxPage)
	from, err := s.floor(ctx, mailbox)
	if err != nil {
		return nil, false, err
	}
	if after.Compare(from) > 0 {
		from = after
	}
	return s.listRows(ctx, mailbox, from, mail.MessageID{}, limit, s.reads())
}

// listRows reads up to limit rows behind from, up to upTo unless that is zero: in one piece, or
// in slices where that fails.
func (s *Store) listRows(ctx context.Context, mailbox mail.MailboxID, from, upTo mail.MessageID, limit int, level gocql.Consistency) (rows []mail.Message, more bool, err error) {
	rows, more, err = s.listFrom(ctx, mailbox, from, upTo, limit, level)
	if err != nil && tooManyTombstones(err) {
		s.drained.note(mailbox, s.cfg.FloorEvery)
		return s.listSlices(ctx, mailbox, from, upTo, limit, level)
	}
	return rows, more, err
}

// listFrom reads rows in one piece.
func (s *Store) listFrom(ctx context.Context, mailbox mail.MailboxID, from, upTo mail.MessageID, limit int, level gocql.Consistency) (rows []mail.Message, more bool, err error) {
	st := statement{
		cql:         listMessages,
		values:      []any{gocql.UUID(mailbox), segment, gocql.UUID(from), limit + 1},
		consistency: level,
		what:        fmt.Sprintf("list mailbox %s", mailbox),
	}
	if !upTo.IsZero() {
		st.cql = listSlice
		st.values = []any{gocql.UUID(mailbox), segment, gocql.UUID(from), gocql.UUID(upTo), limit + 1}
	}
	for {
		read := 0
		var last mail.MessageID
		if _, err := s.read(ctx, st, limit+1, nil, func(scan func(...any) error) error {
			m, isMessage, err := scanMessage(scan)
			read++
			last = m.ID
			if isMessage {
				rows = append(rows, m)
			}
			return err
		}); err != nil {
			return nil, false, err
		}
		if len(rows) > limit {
			return rows[:limit], true, nil
		}
		if read <= limit {
			return rows, false, nil
		}
		st.values[2] = gocql.UUID(last) // there were rows that are no messages
	}
}

// scanMessage reads a row. One without size is not a message.
func scanMessage(scan func(...any) error) (m mail.Message, isMessage bool, err error) {
	var size *int64
	var recipient, uidl, origin string
	if err := scan((*gocql.UUID)(&m.ID), &size, &recipient, &uidl, &origin); err != nil {
		return m, false, err
	}
	if size == nil {
		return m, false, nil
	}
	m.Size, m.Origin = *size, origin
	if m.Recipient, err = decodeText(recipient); err != nil {
		return m, false, err
	}
	text, err := decodeText(uidl)
	m.UIDL = mail.UIDL(text)
	return m, err == nil, err
}

// minSlice is the shortest slice of time: what cannot be read of one is not for the removals
// in it.
const minSlice = time.Microsecond

// listSlices reads rows in slices of time: half as long behind one that failed, twice as long
// behind one that did not.
func (s *Store) listSlices(ctx context.Context, mailbox mail.MailboxID, from, upTo mail.MessageID, limit int, level gocql.Consistency) (rows []mail.Message, more bool, err error) {
	start, end := from.Time(), s.now().Add(24*time.Hour) // behind all clocks
	if start.Year() < 1970 {
		start = time.Unix(0, 0)
	}
	if !upTo.IsZero() {
		end = upTo.Time()
	}
	length := end.Sub(start) / 2
	for {
		// The last slice ends where the whole does, which may be nowhere.
		to := upTo
		if start.Add(length).Before(end) {
			to = mail.MinMessageID(start.Add(length))
		}
		slice, moreHere, err := s.listFrom(ctx, mailbox, from, to, limit-len(rows), level)
		switch {
		case err != nil && tooManyTombstones(err) && length > minSlice:
			length /= 2
			continue
		case err != nil:
			return nil, false, err
		}
		rows = append(rows, slice...)
		switch {
		case to == upTo:
			return rows, moreHere, nil
		case moreHere || len(rows) == limit:
			return rows, true, nil
		}
		start, from = start.Add(length), to
		length *= 2
	}
}

// Message implements store.Mailboxes.
func (s *Store) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (m mail.Message, err error) {
	what := fmt.Sprintf("read message %s of mailbox %s", id, mailbox)
	found := false
	_, err = s.read(ctx, statement{
		cql: selectMessage, values: []any{gocql.UUID(mailbox), segment, gocql.UUID(id)}, consistency: s.reads(), what: what,
	}, 2, nil, func(scan func(...any) error) error {
		m, found, err = scanMessage(scan)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
	}
	if err != nil {
		return mail.Message{}, err
	}
	return m, nil
}
