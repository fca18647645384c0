package cassandra

import (
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"popelago/mail"
	"popelago/store"
)

// grown gathers the ordinary mailboxes that should become bulk. It is only about when to do so:
// what is forgotten is noticed again.
type grown struct {
	// pages counts the messages of a mailbox up to the end of a page of a list, for adding
	// those of the next page.
	pages *otter.Cache[pageEnd, int]

	mu    sync.Mutex
	found map[mail.MailboxID]string // to a recipient
}

// pageEnd is where a page of a list ended.
type pageEnd struct {
	mailbox mail.MailboxID
	last    mail.MessageID
}

// Bounds of the memory of grown.
const (
	maxPageEnds = 10_000
	maxGrown    = 10_000
)

func newGrown() *grown {
	return &grown{pages: otter.Must(&otter.Options[pageEnd, int]{
		MaximumSize:      maxPageEnds,
		ExpiryCalculator: otter.ExpiryWriting[pageEnd, int](10 * time.Minute),
	})}
}

// noteList takes a page of a list of an ordinary mailbox.
func (g *grown) noteList(l listing, p listed, fromStart bool, most int) {
	n := len(p.rows)
	if n == 0 || most < 0 {
		return
	}
	last := p.rows[n-1]
	count := n
	if !fromStart {
		before, _ := g.pages.GetIfPresent(pageEnd{l.mailbox, l.from})
		count += before
	}
	if count >= most {
		g.note(l.mailbox, last.Recipient)
	}
	if p.more {
		g.pages.Set(pageEnd{l.mailbox, last.ID}, count)
	}
}

func (g *grown) note(mailbox mail.MailboxID, recipient string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.found == nil {
		g.found = map[mail.MailboxID]string{}
	}
	if len(g.found) < maxGrown {
		g.found[mailbox] = recipient
	}
}

// take returns what was found since the last call.
func (g *grown) take() []store.GrownMailbox {
	g.mu.Lock()
	defer g.mu.Unlock()
	var list []store.GrownMailbox
	for mailbox, recipient := range g.found {
		list = append(list, store.GrownMailbox{Mailbox: mailbox, Recipient: recipient})
	}
	g.found = nil
	return list
}

// noteStuck notes a mailbox whose floor could not rise if too much was removed from it since it
// did.
func (s *engine) noteStuck(mailbox mail.MailboxID) {
	if s.cfg.BulkAfter < 0 || s.drained.stuck(mailbox) < s.cfg.BulkAfter {
		return
	}
	if p, known := s.placeOf(mailbox); known && p.since == 0 && p.recipient != "" {
		s.grown.note(mailbox, p.recipient)
	}
}
