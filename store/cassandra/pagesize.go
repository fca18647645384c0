package cassandra

import (
	"errors"
	"log/slog"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/cache"
	"popelago/mail"
)

// smallPage is the smallest count of rows that a statement asks for after a page has timed out.
const smallPage = 100

// pageSizes remembers the mailboxes that are read in smaller pages, after a page has timed out.
//
// After an outage of a node its rows of a mailbox may differ from the other replicas by thousands. A
// read repairs the difference before it answers, and for a whole page the repair may take longer than
// the nodes wait. A small page is repaired in time, and the next attempt finds less to repair. Safe
// for concurrent use.
type pageSizes struct {
	// sizes holds the mailboxes with a page that has timed out. An entry expires once its size has
	// stayed the same for keepPageSize: then a whole page is tried again.
	sizes cache.Cache[mail.MailboxID, pageSize]
	// lines limits the log to one line a minute, however many mailboxes an outage concerns.
	lines    seldom
	logger   *slog.Logger
	timeouts prometheus.Counter
}

// pageSize holds the count of rows of the next page, and the highest count until the entry expires.
type pageSize struct{ rows, most int }

// Bounds of the memory of pageSizes.
const (
	maxPageSizes = 10_000
	keepPageSize = 10 * time.Minute
)

func newPageSizes(logger *slog.Logger, timeouts prometheus.Counter) *pageSizes {
	return &pageSizes{
		sizes: cache.NewExpiring[mail.MailboxID, pageSize](maxPageSizes, keepPageSize),
		lines: seldom{every: time.Minute}, logger: logger, timeouts: timeouts,
	}
}

// of returns the count of rows of the next page of a mailbox.
func (p *pageSizes) of(mailbox mail.MailboxID) int {
	if size, ok := p.sizes.Get(mailbox); ok {
		return size.rows
	}
	return maxPage
}

// failed records the size of a page that timed out, and reports whether a smaller page should be
// tried.
func (p *pageSizes) failed(mailbox mail.MailboxID, rows int) bool {
	if rows <= smallPage {
		return false
	}
	p.sizes.Set(mailbox, pageSize{rows: smallPage, most: max(rows/2, smallPage)})
	return true
}

// succeeded records the duration of the read of a page; timeout is the time that a node has to answer.
// The next page has twice as many rows after a quick page, and half as many after a slow page.
func (p *pageSizes) succeeded(mailbox mail.MailboxID, took, timeout time.Duration) {
	old, ok := p.sizes.Get(mailbox)
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

// timedOut reports whether the answer of a node or of a replica took too long.
func timedOut(err error) bool {
	if errors.Is(err, gocql.ErrTimeoutNoResponse) {
		return true
	}
	var answer gocql.RequestError
	return errors.As(err, &answer) && answer.Code() == gocql.ErrCodeReadTimeout
}

// noteTimeout counts and logs that a mailbox is read in small pages from now on.
func (p *pageSizes) noteTimeout(mailbox mail.MailboxID, recipient string, rows int, cause error) {
	p.timeouts.Inc()
	skipped, ok := p.lines.allow("page")
	if !ok {
		return
	}
	p.logger.Warn("a page of a maildrop's list timed out and is read in small pages: nodes that were away receive missed rows with the read",
		"mailbox", mailbox.String(), "recipient", recipient, "rows", rows, "next_rows", smallPage, "pages_not_logged", skipped, "cause", cause)
}

// close ends the goroutines of the cache.
func (p *pageSizes) close() { p.sizes.Close() }

// maxPage is the largest count of rows read by one statement.
const maxPage = 5000
