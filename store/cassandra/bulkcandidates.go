package cassandra

import (
	"sync"
	"time"

	"popelago/cache"
	"popelago/mail"
	"popelago/store"
)

// bulkCandidates gathers the ordinary mailboxes that should become bulk. A candidate forgotten at a
// restart is noticed again. Safe for concurrent use.
type bulkCandidates struct {
	after int // Config.BulkAfter

	// counts holds the count of messages up to the end of a page, for the next page.
	counts cache.Cache[pageEnd, int]

	mu    sync.Mutex
	found map[mail.MailboxID]string // to a recipient
}

// pageEnd names the end of a page of a list.
type pageEnd struct {
	mailbox mail.MailboxID
	last    mail.MessageID
}

// Bounds of the memory of bulkCandidates.
const (
	maxPageEnds       = 10_000
	maxBulkCandidates = 10_000
)

func newBulkCandidates(after int) *bulkCandidates {
	return &bulkCandidates{after: after, counts: cache.NewExpiring[pageEnd, int](maxPageEnds, 10*time.Minute)}
}

// noteList counts the messages of a page of an ordinary mailbox.
func (c *bulkCandidates) noteList(l listing, p listed, fromStart bool) {
	n := len(p.rows)
	if n == 0 || c.after < 0 {
		return
	}
	last := p.rows[n-1]
	count := n
	if !fromStart {
		before, _ := c.counts.Get(pageEnd{l.mailbox, l.from})
		count += before
	}
	if count >= c.after {
		c.note(l.mailbox, last.Recipient)
	}
	if p.more {
		c.counts.Set(pageEnd{l.mailbox, last.ID}, count)
	}
}

func (c *bulkCandidates) note(mailbox mail.MailboxID, recipient string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		c.found = map[mail.MailboxID]string{}
	}
	if len(c.found) < maxBulkCandidates {
		c.found[mailbox] = recipient
	}
}

// noteStuck notes an ordinary mailbox with a count of removals since its floor rose.
func (c *bulkCandidates) noteStuck(mailbox mail.MailboxID, removals int, state bulkState) {
	if c.after >= 0 && removals >= c.after && state.since == 0 && state.recipient != "" {
		c.note(mailbox, state.recipient)
	}
}

// take returns the candidates found since the last call.
func (c *bulkCandidates) take() []store.GrownMailbox {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []store.GrownMailbox
	for _, mailbox := range sortedIDs(c.found) {
		list = append(list, store.GrownMailbox{Mailbox: mailbox, Recipient: c.found[mailbox]})
	}
	c.found = nil
	return list
}

// close ends the goroutines of the cache.
func (c *bulkCandidates) close() { c.counts.Close() }
