package cassandra

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"popelago/mail"
)

// removalCounts counts the removals from each mailbox, to decide when to look at its floor. A count
// forgotten at a restart grows again with later removals. Safe for concurrent use.
type removalCounts struct {
	mu     sync.Mutex
	counts map[mail.MailboxID]removalCount
}

// removalCount counts removals from a mailbox.
type removalCount struct {
	due   int // since the last look at the floor
	stuck int // since the floor rose
}

// maxRemovalCounts bounds the memory of removalCounts. Beyond it the half with the fewest removals is
// forgotten.
const maxRemovalCounts = 100_000

// note counts removals.
func (r *removalCounts) note(mailbox mail.MailboxID, n int) {
	r.change(mailbox, func(c *removalCount) { c.due += n; c.stuck += n })
}

// dueAnyway is above every count of removals.
const dueAnyway = 1 << 30

// lookAgain requests another look at the floor of a mailbox.
func (r *removalCounts) lookAgain(mailbox mail.MailboxID) {
	r.change(mailbox, func(c *removalCount) { c.due = max(c.due, dueAnyway) })
}

func (r *removalCounts) change(mailbox mail.MailboxID, change func(*removalCount)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[mail.MailboxID]removalCount{}
	}
	c := r.counts[mailbox]
	change(&c)
	r.counts[mailbox] = c
	if len(r.counts) > maxRemovalCounts {
		r.forgetLocked(len(r.counts) / 2)
	}
}

// forgetLocked forgets the n mailboxes with the fewest removals.
func (r *removalCounts) forgetLocked(n int) {
	type count struct {
		mailbox mail.MailboxID
		removalCount
	}
	counts := make([]count, 0, len(r.counts))
	for mailbox, c := range r.counts {
		counts = append(counts, count{mailbox, c})
	}
	slices.SortFunc(counts, func(a, b count) int {
		return cmp.Or(cmp.Compare(max(a.due, a.stuck), max(b.due, b.stuck)), bytes.Compare(a.mailbox[:], b.mailbox[:]))
	})
	for _, c := range counts[:n] {
		delete(r.counts, c.mailbox)
	}
}

// take returns the mailboxes with at least least removals, and resets their counts. Mailboxes to be
// looked at again come last: many fruitless looks while a replica is away must not end a run before
// it reaches other mailboxes, see hopelessAfter.
func (r *removalCounts) take(least int) []mail.MailboxID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list, again []mail.MailboxID
	for _, mailbox := range sortedIDs(r.counts) {
		c := r.counts[mailbox]
		switch {
		case c.due < least:
			continue
		case c.due < dueAnyway:
			list = append(list, mailbox)
		default:
			again = append(again, mailbox)
		}
		r.counts[mailbox] = removalCount{stuck: c.stuck}
	}
	return append(list, again...)
}

// raised forgets a mailbox whose floor rose, except for removals since take.
func (r *removalCounts) raised(mailbox mail.MailboxID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if due := r.counts[mailbox].due; due > 0 {
		r.counts[mailbox] = removalCount{due: due, stuck: due}
	} else {
		delete(r.counts, mailbox)
	}
}

// stuck returns the count of removals since the floor of a mailbox rose.
func (r *removalCounts) stuck(mailbox mail.MailboxID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[mailbox].stuck
}
