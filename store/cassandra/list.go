package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// firstID is below all ids.
func firstID() mail.MessageID {
	return mail.MinMessageID(time.Date(1582, 10, 15, 0, 0, 0, 0, time.UTC))
}

// maxPage is the largest count of rows read by one statement.
const maxPage = 5000

// ListMessages implements store.Mailboxes.
//
// One statement reads one page of the ordinary segment. Of a bulk mailbox every page also takes
// one for each day that it covers, from its beginning, or from when the mailbox became bulk, to
// tomorrow: so a server whose clock is behind, or a day that begins, hides nothing.
func (s *Store) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	floor, err := s.floor(ctx, mailbox)
	if err != nil {
		return nil, false, err
	}
	fromStart := after.Compare(floor) <= 0
	l := listing{mailbox: mailbox, from: after, limit: min(max(limit, 1), maxPage), level: s.reads()}
	if fromStart {
		l.from = floor
	}
	known, _ := s.placeOf(mailbox)
	checked := s.now()
	p, err := s.list(ctx, l, known.since)
	if err != nil {
		return nil, false, err
	}
	s.noteList(l, p, checked, fromStart)
	return p.rows, p.more, nil
}

// noteList remembers what a page of a list tells of the mailbox.
func (s *Store) noteList(l listing, p listed, checked time.Time, fromStart bool) {
	var last mail.MessageID
	recipient := ""
	if n := len(p.rows); n > 0 {
		recipient = p.rows[n-1].Recipient
		if p.more {
			last = p.rows[n-1].ID
		}
	}
	if s.Clock() == nil {
		s.learnSince(l.mailbox, p.since, checked, recipient)
	}
	if p.since == 0 {
		s.grown.noteList(l, p, fromStart, s.cfg.BulkAfter)
		return
	}
	s.inDays.note(l.mailbox, l.from, last, fromStart, p.inDays)
}

// listing is what to read of a mailbox or of one of its segments.
type listing struct {
	mailbox    mail.MailboxID
	from, upTo mail.MessageID // behind from, up to upTo unless that is zero
	limit      int
	level      gocql.Consistency
}

// listed is what was read.
type listed struct {
	rows   []mail.Message   // up to the limit
	more   bool             // there may be more; then there are as many rows as the limit
	since  int64            // bulk_since; zero: there is no marker
	inDays []mail.MessageID // those of rows that are in the segment of a day only
}

// listSegment reads rows of a segment. Where removals lie so close that a replica would have to
// skip more of them than it may, they are read in slices of time, each half as long as the one
// that failed.
func (s *Store) listSegment(ctx context.Context, l listing, segment int) (listed, error) {
	p, err := s.listPiece(ctx, l, segment)
	if err != nil && tooManyTombstones(err) {
		s.drained.look(l.mailbox)
		return s.listSlices(ctx, l, segment)
	}
	return p, err
}

// listPiece reads rows of a segment in one piece: in one statement, or, after a page has timed out,
// in several that ask for less, see pageSizes.
func (s *Store) listPiece(ctx context.Context, l listing, segment int) (p listed, err error) {
	what := fmt.Sprintf("list mailbox %s", l.mailbox)
	end := marker()
	for {
		rows := min(l.limit, s.pageSizes.of(l.mailbox))
		began := time.Now()
		page, err := s.listPage(ctx, l, segment, statement{consistency: l.level, what: what, impatient: rows > smallPage}, rows+1)
		if err != nil {
			if ctx.Err() != nil || !timedOut(err) || !s.pageSizes.failed(l.mailbox, rows) {
				return listed{}, err
			}
			s.notePageTimeout(l.mailbox, rows, err)
			continue
		}
		s.pageSizes.succeeded(l.mailbox, time.Since(began), s.cfg.Timeout)
		p.rows = append(p.rows, page.rows...)
		p.since = earliest(p.since, page.since)
		if len(p.rows) > l.limit {
			p.rows, p.more = p.rows[:l.limit], true
			return p, nil
		}
		if page.read <= rows || page.last == end {
			return p, nil
		}
		l.from = page.last // the page was a small one, or had rows that are no messages
	}
}

// listedPage is what one statement has read of a segment.
type listedPage struct {
	listed
	read int            // rows, with those that are no messages
	last mail.MessageID // of the last row
}

// listPage executes a statement that reads up to so many rows of a segment. st has all but the text
// and the values.
func (s *Store) listPage(ctx context.Context, l listing, segment int, st statement, rows int) (p listedPage, err error) {
	st.cql, st.values = listMessages, []any{gocql.UUID(l.mailbox), segment, gocql.UUID(l.from), rows}
	if !l.upTo.IsZero() {
		st.cql, st.values = listSlice, []any{gocql.UUID(l.mailbox), segment, gocql.UUID(l.from), gocql.UUID(l.upTo), rows}
	}
	_, err = s.read(ctx, st, rows, nil, func(scan func(...any) error) error {
		m, isMessage, since, err := scanMessage(scan)
		p.read++
		p.last = m.ID
		if since != nil {
			p.since = *since
		}
		if isMessage {
			p.rows = append(p.rows, m)
		}
		return err
	})
	return p, err
}

// scanMessage reads a row. One without size is not a message. since is the bulk_since of the
// mailbox; nil in segments that have none.
func scanMessage(scan func(...any) error) (m mail.Message, isMessage bool, since *int64, err error) {
	var size *int64
	var recipient, uidl, origin string
	if err := scan((*gocql.UUID)(&m.ID), &size, &recipient, &uidl, &origin, &since); err != nil {
		return m, false, nil, err
	}
	if size == nil {
		return m, false, since, nil
	}
	m.Size, m.Origin = *size, origin
	if m.Recipient, err = decodeText(recipient); err != nil {
		return m, false, since, err
	}
	text, err := decodeText(uidl)
	m.UIDL = mail.UIDL(text)
	return m, err == nil, since, err
}

// minSlice is the shortest slice of time: what cannot be read of one is not for the removals
// in it.
const minSlice = time.Microsecond

// listSlices reads rows of a segment in slices of time: half as long behind one that failed,
// twice as long behind one that did not.
func (s *Store) listSlices(ctx context.Context, l listing, segment int) (p listed, err error) {
	start, end := l.from.Time(), s.now().Add(24*time.Hour) // behind all clocks
	if start.Year() < 1970 {
		start = time.Unix(0, 0)
	}
	if segment != ordinary {
		if first := startOf(segment); start.Before(first) {
			start = first
		}
		end = startOf(segment + 1)
	}
	if !l.upTo.IsZero() && l.upTo.Time().Before(end) {
		end = l.upTo.Time()
	}
	length := end.Sub(start) / 2
	slice := l
	for {
		// The last slice ends where the whole does, which may be nowhere.
		slice.upTo, slice.limit = l.upTo, l.limit-len(p.rows)
		if start.Add(length).Before(end) {
			slice.upTo = mail.MinMessageID(start.Add(length))
		}
		some, err := s.listPiece(ctx, slice, segment)
		switch {
		case err != nil && tooManyTombstones(err) && length > minSlice:
			length /= 2
			continue
		case err != nil:
			return listed{}, err
		}
		p.rows = append(p.rows, some.rows...)
		p.since = earliest(p.since, some.since)
		switch {
		case slice.upTo == l.upTo:
			p.more = some.more
			return p, nil
		case some.more || len(p.rows) == l.limit:
			p.more = true
			return p, nil
		}
		start, slice.from = start.Add(length), slice.upTo
		length *= 2
	}
}
