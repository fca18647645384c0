package cassandra

import (
	"cmp"
	"slices"
	"sync"

	"popelago/mail"
)

// drained counts the removals of each mailbox. It is only about when to look: what is forgotten
// at a restart is noticed with later removals.
type drained struct {
	mu     sync.Mutex
	counts map[mail.MailboxID]drain
}

// drain counts removals from a mailbox.
type drain struct {
	due   int // since it was last looked whether its floor can rise
	stuck int // since its floor rose
}

// maxDrained bounds the memory of drained. Beyond it the half with the fewest removals is forgotten.
const maxDrained = 100_000

// note counts removals.
func (d *drained) note(mailbox mail.MailboxID, n int) {
	d.change(mailbox, func(c *drain) { c.due += n; c.stuck += n })
}

// dueAnyway is more than removals count up to.
const dueAnyway = 1 << 30

// look asks that the floor of a mailbox be looked at.
func (d *drained) look(mailbox mail.MailboxID) {
	d.change(mailbox, func(c *drain) { c.due = max(c.due, dueAnyway) })
}

func (d *drained) change(mailbox mail.MailboxID, change func(*drain)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.counts == nil {
		d.counts = map[mail.MailboxID]drain{}
	}
	c := d.counts[mailbox]
	change(&c)
	d.counts[mailbox] = c
	if len(d.counts) > maxDrained {
		d.forgetLocked(len(d.counts) / 2)
	}
}

// forgetLocked forgets the n mailboxes with the fewest removals.
func (d *drained) forgetLocked(n int) {
	type count struct {
		mailbox mail.MailboxID
		drain
	}
	counts := make([]count, 0, len(d.counts))
	for mailbox, c := range d.counts {
		counts = append(counts, count{mailbox, c})
	}
	slices.SortFunc(counts, func(a, b count) int {
		return cmp.Compare(max(a.due, a.stuck), max(b.due, b.stuck))
	})
	for _, c := range counts[:n] {
		delete(d.counts, c.mailbox)
	}
}

// take returns the mailboxes with at least so many removals, and forgets that they are due. Those that
// wait to be looked at again are the last: many that were looked at in vain, because a replica is
// away, must not end a run before it comes to others, see hopelessAfter.
func (d *drained) take(least int) []mail.MailboxID {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list, again []mail.MailboxID
	for mailbox, c := range d.counts {
		switch {
		case c.due < least:
			continue
		case c.due < dueAnyway:
			list = append(list, mailbox)
		default:
			again = append(again, mailbox)
		}
		d.counts[mailbox] = drain{stuck: c.stuck}
	}
	return append(list, again...)
}

// raised forgets a mailbox whose floor rose, but for removals since it was taken.
func (d *drained) raised(mailbox mail.MailboxID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if due := d.counts[mailbox].due; due > 0 {
		d.counts[mailbox] = drain{due: due, stuck: due}
	} else {
		delete(d.counts, mailbox)
	}
}

// stuck is how many removals there were since the floor of a mailbox rose.
func (d *drained) stuck(mailbox mail.MailboxID) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts[mailbox].stuck
}
