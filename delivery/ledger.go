package delivery

import (
	"container/list"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store"
)

// ledger remembers attempts: deliveries that may be repeated though some of the message is
// stored, or may be. It holds those of this process and what it has read of the others'.
//
// An attempt is used once: take gives it to one caller. Safe for concurrent use.
type ledger struct {
	max    int  // of the weights of all nodes
	shared bool // with other servers, through the store

	mu     sync.Mutex
	byText map[[sha256.Size]byte][]*node
	order  list.List // of *node, in the order of their coming
	weight int
	open   int // how many are not spent
}

// node is an attempt in the ledger. Its fields belong to the ledger.
type node struct {
	store.Attempt
	element *list.Element // nil: forgotten

	// spent: it was used up. It stays where attempts are shared, so that it does not come back
	// from the store.
	spent bool
	// What the other servers still have to be told, by the store: that it is there, that it
	// is spent. Whoever has taken a node says the latter himself: see claim.
	unwritten, unremoved bool
	// through is the datacenter in which the store had it, as Store.Origin names it.
	through string
}

// attempt is a copy of one in the ledger, and where it comes from.
type attempt struct {
	store.Attempt
	node    *node
	written bool   // the store has it, or another server has used it
	through string // the datacenter in which the store had it
}

// copied must be called with the lock of the ledger.
func (n *node) copied() attempt { return attempt{n.Attempt, n, !n.unwritten, n.through} }

func newLedger(most int, shared bool) *ledger {
	return &ledger{max: most, shared: shared, byText: map[[sha256.Size]byte][]*node{}}
}

// weightOf is what an attempt counts: one for each recipient, at least one.
func weightOf(a store.Attempt) int { return max(1, len(a.Recipients)) }

// sameEntry reports whether two attempts have the same name in the store.
func sameEntry(a, b store.Attempt) bool {
	return a.Fingerprint == b.Fingerprint && a.ID == b.ID && a.Entered.Equal(b.Entered)
}

// owed reports whether a sender that repeats a would cause a copy too many: something may be
// stored that it has not been told of.
func owed(a store.Attempt) bool {
	return slices.ContainsFunc(a.Recipients, func(r store.AttemptRecipient) bool {
		return !r.Told && r.Outcome != store.AttemptUnwritten
	})
}

// add remembers an attempt, unless it is known already, and forgets the oldest ones beyond the
// limit. unwritten says that the store does not have it yet; else it has it in the datacenter
// through. The node is nil if it was known.
func (l *ledger) add(a store.Attempt, unwritten bool, through string) (added *node, forgotten int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	same := l.byText[a.Fingerprint]
	if slices.ContainsFunc(same, func(b *node) bool { return sameEntry(a, b.Attempt) }) {
		return nil, 0
	}
	added = &node{Attempt: a, unwritten: unwritten, through: through}
	added.element = l.order.PushBack(added)
	l.byText[a.Fingerprint] = append(same, added)
	l.open++
	for l.weight += weightOf(a); l.weight > l.max && l.order.Len() > 1; {
		oldest := l.order.Front().Value.(*node)
		if !oldest.spent {
			forgotten++
		}
		l.forgetLocked(oldest)
	}
	return added, forgotten
}

// forgetLocked takes a node out, if it is still in.
func (l *ledger) forgetLocked(n *node) {
	if n.element == nil {
		return
	}
	l.order.Remove(n.element)
	n.element = nil
	l.weight -= weightOf(n.Attempt)
	if !n.spent {
		l.open--
	}
	same := l.byText[n.Fingerprint]
	same = slices.DeleteFunc(same, func(other *node) bool { return n == other })
	if len(same) == 0 {
		delete(l.byText, n.Fingerprint)
		return
	}
	l.byText[n.Fingerprint] = same
}

// spendLocked makes sure that nobody takes a node any more. The other servers have not been told
// yet.
func (l *ledger) spendLocked(n *node) {
	if !l.shared {
		l.forgetLocked(n)
	}
	if n.element != nil {
		l.weight += 1 - weightOf(n.Attempt)
		l.open--
	}
	n.Recipients = nil
	n.spent, n.unwritten = true, false
}

// take returns the attempts with a fingerprint that owe something to one of some mailboxes.
// Nobody else gets them from then on, and nothing is said about them to the other servers: if
// an attempt is not in the store any more, one of those has used it.
func (l *ledger) take(fingerprint [sha256.Size]byte, mailboxes map[mail.MailboxID]int, now time.Time) (taken []attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range slices.Clone(l.byText[fingerprint]) {
		if n.spent || !n.Until.After(now) || !owes(n.Attempt, mailboxes) {
			continue
		}
		taken = append(taken, n.copied())
		l.spendLocked(n)
	}
	return taken
}

// giveBack undoes take for an attempt about which nothing was said to the store.
func (l *ledger) giveBack(a attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := a.node
	if n.element == nil {
		return // forgotten meanwhile
	}
	l.weight += weightOf(a.Attempt) - 1
	l.open++
	n.Attempt, n.spent, n.unwritten, n.unremoved = a.Attempt, false, !a.written, false
}

// owes reports whether one of some mailboxes is among the recipients whose sender has not been
// told of a success.
func owes(a store.Attempt, mailboxes map[mail.MailboxID]int) bool {
	return slices.ContainsFunc(a.Recipients, func(r store.AttemptRecipient) bool {
		_, among := mailboxes[r.Mailbox]
		return among && !r.Told
	})
}

// withdraw takes one attempt. It returns false if somebody else was first.
func (l *ledger) withdraw(n *node) (a attempt, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.spent {
		return attempt{}, false
	}
	a = n.copied()
	l.spendLocked(n)
	n.unremoved = l.shared
	return a, true
}

// copyOf returns the attempt of a node.
func (l *ledger) copyOf(n *node) attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return n.copied()
}

// written notes that the store has an attempt, in the datacenter through.
func (l *ledger) written(n *node, through string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.unwritten, n.through = false, through
}

// unremoved notes that the store may still have an attempt that was taken.
func (l *ledger) unremoved(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.unremoved = true
}

// removed notes that the store does not have an attempt any more.
func (l *ledger) removed(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n.unremoved = false
}

// unsaid returns the attempts that the other servers do not know of, and those that they do
// not know to be spent.
func (l *ledger) unsaid() (unwritten, unremoved []attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.order.Front(); e != nil; e = e.Next() {
		switch n := e.Value.(*node); {
		case n.unwritten:
			unwritten = append(unwritten, n.copied())
		case n.unremoved:
			unremoved = append(unremoved, n.copied())
		}
	}
	return unwritten, unremoved
}

// expire forgets the attempts that are over.
func (l *ledger) expire(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.order.Front(); e != nil; {
		n := e.Value.(*node)
		e = e.Next()
		if !n.Until.After(now) {
			l.forgetLocked(n)
		}
	}
}

// count is how many attempts may still be taken.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}
