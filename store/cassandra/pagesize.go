package cassandra

import (
	"errors"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/maypok86/otter/v2"

	"popelago/mail"
)

// smallPage is the smallest count of rows that one statement asks for because a page timed out.
const smallPage = 100

// pageSizes remembers how many rows of a mailbox can be read at once where that is less than a
// page has.
//
// After a node has been away, its rows of a mailbox may differ from those of the other replicas by
// thousands. A read that comes across the difference mends it before it answers, and for a whole
// page that may take longer than the nodes wait. A small page is mended in time, and the next
// attempt at the list finds less to mend.
type pageSizes struct {
	// sizes has an entry for each mailbox that a page of has timed out. An entry expires when its
	// size has stayed the same for keepPageSize: then a whole page is tried again.
	sizes *otter.Cache[mail.MailboxID, pageSize]
	// lines keeps a thousand mailboxes of one outage from a thousand lines in the log.
	lines seldom
}

// pageSize is how many rows one statement asks for, and how many at most while the last time-out
// is remembered.
type pageSize struct{ rows, most int }

// Bounds of the memory of pageSizes.
const (
	maxPageSizes = 10_000
	keepPageSize = 10 * time.Minute
)

func newPageSizes() *pageSizes {
	return &pageSizes{
		sizes: otter.Must(&otter.Options[mail.MailboxID, pageSize]{
			MaximumSize:      maxPageSizes,
			ExpiryCalculator: otter.ExpiryWriting[mail.MailboxID, pageSize](keepPageSize),
		}),
		lines: seldom{every: time.Minute},
	}
}

// of is how many rows of a mailbox are to be read at once.
func (p *pageSizes) of(mailbox mail.MailboxID) int {
	if size, ok := p.sizes.GetIfPresent(mailbox); ok {
		return size.rows
	}
	return maxPage
}

// failed takes the size of a page that timed out, and reports whether a smaller one is worth
// trying.
func (p *pageSizes) failed(mailbox mail.MailboxID, rows int) bool {
	if rows <= smallPage {
		return false
	}
	p.sizes.Set(mailbox, pageSize{rows: smallPage, most: max(rows/2, smallPage)})
	return true
}

// succeeded takes how long a page of a mailbox took to be read, of the time that a node has to
// answer. The next page has twice as many rows after a quick page, half as many after a slow one.
func (p *pageSizes) succeeded(mailbox mail.MailboxID, took, timeout time.Duration) {
	old, ok := p.sizes.GetIfPresent(mailbox)
	if !ok {
		return
	}
	size := old
	switch {
	case took < timeout/5:
		size.rows = min(2*size.rows, size.most)
	case took > timeout/2:
		size.rows = max(size.rows/2, smallPage)
	}
	if size != old {
		p.sizes.Set(mailbox, size)
	}
}

// timedOut reports whether an error says that an answer, or a replica's, took too long.
func timedOut(err error) bool {
	if errors.Is(err, gocql.ErrTimeoutNoResponse) {
		return true
	}
	var answer gocql.RequestError
	return errors.As(err, &answer) && answer.Code() == gocql.ErrCodeReadTimeout
}

// notePageTimeout counts and logs that the list of a mailbox is read in small pages from now on.
func (s *engine) notePageTimeout(mailbox mail.MailboxID, rows int, cause error) {
	s.metrics.pageTimeouts.Inc()
	skipped, ok := s.pageSizes.lines.allow("page")
	if !ok {
		return
	}
	place, _ := s.placeOf(mailbox)
	s.cfg.Logger.Warn("a page of a maildrop's list timed out and is read in small pages: nodes that were away get what they missed while it is read",
		"mailbox", mailbox.String(), "recipient", place.recipient, "rows", rows, "next_rows", smallPage, "pages_not_logged", skipped, "cause", cause)
}
