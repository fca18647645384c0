package embedded

import (
	"slices"
	"sync"
	"sync/atomic"

	"popelago/mail"
)

// Bounds of a listCache.
const (
	listPlaces   = 4096    // lists
	cachedRows   = 256     // rows of a list
	cachedOctets = 8 << 20 // all rows together
	rowOctets    = 160     // a row with its texts
)

// listCache holds the lists of mailboxes that were read lately: mail programs list the same mailbox each few
// minutes, and most find no change. Each mailbox has one place, which it shares with others. A list is complete:
// it has all rows behind its bound.
//
// A database has a cache of its own, because a failed database and the next may differ. No list is read from the
// cache, and no list goes into it, while the committer writes rows of the mailbox. Safe for concurrent use.
type listCache struct {
	octets atomic.Int64
	places [listPlaces]listPlace
}

// listPlace holds the list of one mailbox.
type listPlace struct {
	mu      sync.Mutex
	writes  int    // in progress, to any mailbox of the place
	changes uint64 // counts begins and ends of writes
	known   bool   // the place holds a list
	mailbox mail.MailboxID
	bound   mail.MessageID
	rows    []mail.Message
}

// place returns the place of a mailbox. Mailbox ids are random.
func (c *listCache) place(mailbox mail.MailboxID) *listPlace {
	return &c.places[(int(mailbox[0])<<8|int(mailbox[1]))%listPlaces]
}

// get returns the rows of a mailbox with ids behind after, if the place has all of them and they are no more
// than limit. Otherwise the caller reads the rows, and calls put with changes.
func (p *listPlace) get(mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, changes uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known || p.mailbox != mailbox || after.Compare(p.bound) < 0 {
		return nil, p.changes, false
	}
	first := 0
	for first < len(p.rows) && p.rows[first].ID.Compare(after) <= 0 {
		first++
	}
	if len(p.rows)-first > limit {
		return nil, p.changes, false
	}
	return slices.Clone(p.rows[first:]), p.changes, true
}

// put stores all rows of a mailbox with ids behind after, as read since get returned changes. put does nothing
// if the committer has written meanwhile, or if there is no room.
func (p *listPlace) put(c *listCache, mailbox mail.MailboxID, after mail.MessageID, rows []mail.Message, changes uint64) {
	if len(rows) > cachedRows {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.writes > 0 || p.changes != changes {
		return
	}
	p.dropLocked(c)
	if octets := int64(len(rows)) * rowOctets; c.octets.Add(octets) > cachedOctets {
		c.octets.Add(-octets)
		return
	}
	p.known, p.mailbox, p.bound, p.rows = true, mailbox, after, slices.Clone(rows)
}

// begin forgets the list: a write of rows of a mailbox of the place begins. end must follow.
func (p *listPlace) begin(c *listCache) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes++
	p.changes++
	p.dropLocked(c)
}

// end notes the end of a write, also of a failed write.
func (p *listPlace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.writes--
	p.changes++
}

func (p *listPlace) dropLocked(c *listCache) {
	c.octets.Add(-int64(len(p.rows)) * rowOctets)
	p.known, p.rows = false, nil
}
