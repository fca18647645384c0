package cassandra

import (
	"slices"
	"sync"

	"github.com/maypok86/otter/v2"

	"popelago/mail"
)

// inDays remembers which messages of bulk mailboxes lists found in the segment of a day and not
// in the ordinary one. A message is only ever added to one of the two, so removing these there
// is enough: the ordinary segment does not fill with what is left behind by removals that have
// nothing to do with it. What was forgotten is removed from both.
type inDays struct {
	mu    sync.Mutex // held while a list of ids is put in the place of another
	cache *otter.Cache[mail.MailboxID, []mail.MessageID]
}

// maxInDays bounds the memory of inDays: ids of 16 octets.
const maxInDays = 1 << 20

func newInDays() *inDays {
	return &inDays{cache: otter.Must(&otter.Options[mail.MailboxID, []mail.MessageID]{
		MaximumWeight: maxInDays,
		Weigher: func(_ mail.MailboxID, ids []mail.MessageID) uint32 {
			return uint32(len(ids)) + 1
		},
	})}
}

// note takes a page of a list: all behind from, up to last unless that is zero, with the ids
// found in days, in their order. fromStart says that nothing alive is before it.
func (l *inDays) note(mailbox mail.MailboxID, from, last mail.MessageID, fromStart bool, ids []mail.MessageID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var before, behind []mail.MessageID
	if old, ok := l.cache.GetIfPresent(mailbox); ok {
		if !fromStart {
			before = old[:countUpTo(old, from)]
		}
		if !last.IsZero() {
			behind = old[countUpTo(old, last):]
		}
	}
	all := slices.Concat(before, ids, behind)
	if len(all) == 0 {
		l.cache.Invalidate(mailbox)
		return
	}
	l.cache.Set(mailbox, all)
}

// countUpTo is how many of some ids are not behind another.
func countUpTo(ids []mail.MessageID, last mail.MessageID) int {
	n, found := slices.BinarySearchFunc(ids, last, mail.MessageID.Compare)
	if found {
		n++
	}
	return n
}

// has reports whether a message was found in the segment of its day only. The function is valid
// for one moment.
func (l *inDays) has(mailbox mail.MailboxID) func(mail.MessageID) bool {
	ids, _ := l.cache.GetIfPresent(mailbox)
	return func(id mail.MessageID) bool {
		_, found := slices.BinarySearchFunc(ids, id, mail.MessageID.Compare)
		return found
	}
}
