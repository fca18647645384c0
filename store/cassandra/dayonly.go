package cassandra

import (
	"slices"
	"sync"

	"popelago/cache"
	"popelago/mail"
)

// dayOnly remembers the messages of bulk mailboxes that a list found in the segment of a day and not
// in the ordinary segment. A message is added to one of the two segments only, so a removal need only
// remove it there: the ordinary segment does not fill with tombstones of unrelated removals. A
// forgotten message is removed from both segments. Safe for concurrent use.
type dayOnly struct {
	mu    sync.Mutex // held while a list of ids replaces another
	cache cache.Cache[mail.MailboxID, []mail.MessageID]
}

// maxDayOnly bounds the memory of dayOnly: ids of 16 octets.
const maxDayOnly = 1 << 20

func newDayOnly() *dayOnly {
	return &dayOnly{cache: cache.NewWeighing[mail.MailboxID](maxDayOnly, func(ids []mail.MessageID) int { return len(ids) + 1 })}
}

// note records a page of a list: all rows after from, up to last unless last is zero. ids are the rows
// found in days, in order. fromStart is set if no message before the page is alive.
func (d *dayOnly) note(mailbox mail.MailboxID, from, last mail.MessageID, fromStart bool, ids []mail.MessageID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var before, behind []mail.MessageID
	if old, ok := d.cache.Get(mailbox); ok {
		if !fromStart {
			before = old[:countUpTo(old, from)]
		}
		if !last.IsZero() {
			behind = old[countUpTo(old, last):]
		}
	}
	all := slices.Concat(before, ids, behind)
	if len(all) == 0 {
		d.cache.Remove(mailbox)
		return
	}
	d.cache.Set(mailbox, all)
}

// countUpTo counts the ids up to last, inclusive.
func countUpTo(ids []mail.MessageID, last mail.MessageID) int {
	n, found := slices.BinarySearchFunc(ids, last, mail.MessageID.Compare)
	if found {
		n++
	}
	return n
}

// has returns a function that reports whether a message was found in the segment of its day only. The
// function is valid for one moment.
func (d *dayOnly) has(mailbox mail.MailboxID) func(mail.MessageID) bool {
	ids, _ := d.cache.Get(mailbox)
	return func(id mail.MessageID) bool {
		_, found := slices.BinarySearchFunc(ids, id, mail.MessageID.Compare)
		return found
	}
}
