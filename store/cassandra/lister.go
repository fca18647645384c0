package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// firstID returns an id below all ids.
func firstID() mail.MessageID {
	return mail.MinMessageID(time.Date(1582, 10, 15, 0, 0, 0, 0, time.UTC))
}

// lister reads rows of mailboxes: of one segment here, of all segments in listerdays.go. Safe for
// concurrent use.
type lister struct {
	cfg   Config
	run   *runner
	clock *clockWatch
	*caches
}

// listing names the rows to read of a mailbox or of one of its segments.
type listing struct {
	mailbox    mail.MailboxID
	from, upTo mail.MessageID // after from, up to upTo unless upTo is zero
	limit      int
	level      gocql.Consistency
}

// listed holds rows that were read.
type listed struct {
	rows    []mail.Message   // up to the limit
	more    bool             // further rows may follow; then rows reaches the limit
	since   int64            // bulk_since; zero: there is no marker
	dayOnly []mail.MessageID // ids of the rows that are in the segment of a day only
}

// listSegment reads rows of a segment. If a replica would have to skip more tombstones than it may,
// the rows are read in slices of time.
func (l *lister) listSegment(ctx context.Context, what listing, segment int) (listed, error) {
	p, err := l.listPiece(ctx, what, segment)
	if err != nil && tooManyTombstones(err) {
		l.removals.lookAgain(what.mailbox)
		return l.listSlices(ctx, what, segment)
	}
	return p, err
}

// listPiece reads rows of a segment in one statement, or after a page has timed out in several
// statements with smaller pages, see pageSizes.
func (l *lister) listPiece(ctx context.Context, what listing, segment int) (p listed, err error) {
	text := fmt.Sprintf("list mailbox %s", what.mailbox)
	end := marker()
	for {
		rows := min(what.limit, l.pageSizes.of(what.mailbox))
		began := time.Now()
		page, err := l.listPage(ctx, what, segment, statement{consistency: what.level, what: text, impatient: rows > smallPage}, rows+1)
		if err != nil {
			if ctx.Err() != nil || !timedOut(err) || !l.pageSizes.failed(what.mailbox, rows) {
				return listed{}, err
			}
			state, _ := l.states.of(what.mailbox)
			l.pageSizes.noteTimeout(what.mailbox, state.recipient, rows, err)
			continue
		}
		l.pageSizes.succeeded(what.mailbox, time.Since(began), l.cfg.Timeout)
		p.rows = append(p.rows, page.rows...)
		p.since = earliest(p.since, page.since)
		if len(p.rows) > what.limit {
			p.rows, p.more = p.rows[:what.limit], true
			return p, nil
		}
		if page.read <= rows || page.last == end {
			return p, nil
		}
		what.from = page.last // the page was small, or had rows without a message
	}
}

// listedPage holds the result of one statement.
type listedPage struct {
	listed
	read int            // rows, including rows without a message
	last mail.MessageID // id of the last row
}

// listPage executes a statement that reads up to rows rows of a segment. st lacks text and values.
func (l *lister) listPage(ctx context.Context, what listing, segment int, st statement, rows int) (p listedPage, err error) {
	st.cql, st.values = listMessages, []any{gocql.UUID(what.mailbox), segment, gocql.UUID(what.from), rows}
	if !what.upTo.IsZero() {
		st.cql, st.values = listSlice, []any{gocql.UUID(what.mailbox), segment, gocql.UUID(what.from), gocql.UUID(what.upTo), rows}
	}
	_, err = l.run.read(ctx, st, rows, nil, func(scan func(...any) error) error {
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

// scanMessage reads a row. A row without size is not a message. since is the bulk_since of the
// mailbox; nil in segments without one.
func scanMessage(scan func(...any) error) (m mail.Message, isMessage bool, since *int64, err error) {
	var size *int64
	var recipient, uidl, origin, original string
	if err := scan((*gocql.UUID)(&m.ID), &size, &recipient, &uidl, &origin, &original, &since); err != nil {
		return m, false, nil, err
	}
	if size == nil {
		return m, false, since, nil
	}
	m.Size, m.Origin = *size, origin
	if m.Recipient, err = decodeText(recipient); err != nil {
		return m, false, since, err
	}
	if m.Original, err = decodeText(original); err != nil {
		return m, false, since, err
	}
	text, err := decodeText(uidl)
	m.UIDL = mail.UIDL(text)
	return m, err == nil, since, err
}

// minSlice is the shortest slice of time. A failure to read a shorter slice has another cause than
// tombstones.
const minSlice = time.Microsecond

// listSlices reads rows of a segment in slices of time: half as long after a slice that failed, twice
// as long after a slice that succeeded.
func (l *lister) listSlices(ctx context.Context, what listing, segment int) (p listed, err error) {
	start, end := what.from.Time(), l.cfg.Now().Add(24*time.Hour) // after all clocks
	if start.Year() < 1970 {
		start = time.Unix(0, 0)
	}
	if segment != ordinary {
		if first := startOf(segment); start.Before(first) {
			start = first
		}
		end = startOf(segment + 1)
	}
	if !what.upTo.IsZero() && what.upTo.Time().Before(end) {
		end = what.upTo.Time()
	}
	length := end.Sub(start) / 2
	slice := what
	for {
		// The last slice ends with the whole listing, which may have no end.
		slice.upTo, slice.limit = what.upTo, what.limit-len(p.rows)
		if start.Add(length).Before(end) {
			slice.upTo = mail.MinMessageID(start.Add(length))
		}
		some, err := l.listPiece(ctx, slice, segment)
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
		case slice.upTo == what.upTo:
			p.more = some.more
			return p, nil
		case some.more || len(p.rows) == what.limit:
			p.more = true
			return p, nil
		}
		start, slice.from = start.Add(length), slice.upTo
		length *= 2
	}
}
