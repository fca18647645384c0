package cassandra

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"popelago/mail"
)

// removalCounts counts the removals from each mailbox, to decide when to look at its floor. A removed
// message counts from the end of its in-flight window on: no floor passes a younger message. A count
// forgotten at a restart grows again with later removals. Safe for concurrent use.
type removalCounts struct {
	window time.Duration // Config.Window

	mu     sync.Mutex
	counts map[mail.MailboxID]removalCount
}

// removalCount counts removals from a mailbox.
type removalCount struct {
	due   int             // of messages that a floor may pass, since the last look at the floor
	young []youngRemovals // of messages that no floor may pass yet, each of another part of a window
	stuck int             // since the floor rose
}

// youngRemovals counts the removed messages of a part of a window.
type youngRemovals struct {
	part int64
	n    int
}

// windowParts is the count of parts of a window: removals become due a part later at most.
const windowParts = 8

// maxRemovalCounts bounds the memory of removalCounts. Beyond it the half with the fewest removals is
// forgotten.
const maxRemovalCounts = 100_000

// part returns the part of a window that a moment is in. Parts are counted since 1970.
func (r *removalCounts) part(at time.Time) int64 {
	return micros(at) / max(1, r.window.Microseconds()/windowParts)
}

// firstYoung returns the first part of a window with messages that no floor may pass.
func (r *removalCounts) firstYoung(now time.Time) int64 { return r.part(now.Add(-r.window)) }

// note counts the removals of messages.
func (r *removalCounts) note(mailbox mail.MailboxID, ids []mail.MessageID, now time.Time) {
	first := r.firstYoung(now)
	r.change(mailbox, func(c *removalCount) {
		c.ripen(first)
		c.stuck += len(ids)
		for _, id := range ids {
			if part := r.part(id.Time()); part < first {
				c.due++
			} else {
				c.noteYoung(part)
			}
		}
	})
}

func (c *removalCount) noteYoung(part int64) {
	for i := range c.young {
		if c.young[i].part == part {
			c.young[i].n++
			return
		}
	}
	c.young = append(c.young, youngRemovals{part, 1})
}

// ripen makes the removals due of messages that are young no longer.
func (c *removalCount) ripen(first int64) {
	c.young = slices.DeleteFunc(c.young, func(y youngRemovals) bool {
		if y.part < first {
			c.due += y.n
		}
		return y.part < first
	})
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

// take returns the mailboxes with at least least removals that are due, and resets their counts. Mailboxes
// to be looked at again come last: many fruitless looks while a replica is away must not end a run before
// it reaches other mailboxes, see hopelessAfter.
func (r *removalCounts) take(least int, now time.Time) []mail.MailboxID {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := r.firstYoung(now)
	var list, again []mail.MailboxID
	for _, mailbox := range sortedIDs(r.counts) {
		c := r.counts[mailbox]
		c.ripen(first)
		switch {
		case c.due < least:
			r.counts[mailbox] = c
			continue
		case c.due < dueAnyway:
			list = append(list, mailbox)
		default:
			again = append(again, mailbox)
		}
		c.due = 0
		r.counts[mailbox] = c
	}
	return append(list, again...)
}

// raised forgets a mailbox whose floor rose, except for removals since take and removals of messages that
// were too young.
func (r *removalCounts) raised(mailbox mail.MailboxID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.counts[mailbox]
	c.stuck = c.due
	for _, y := range c.young {
		c.stuck += y.n
	}
	if c.stuck > 0 {
		r.counts[mailbox] = c
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
