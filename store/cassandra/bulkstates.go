package cassandra

import (
	"time"

	"popelago/cache"
	"popelago/mail"
	"popelago/store"
)

// bulkState holds the knowledge of this process about the segments of a mailbox.
type bulkState struct {
	// since is the bulk_since of the mailbox; zero: no marker is known.
	since int64
	// before: messages of an earlier microsecond are in the ordinary segment only, including messages
	// still to come.
	before int64
	// marked is when this process last wrote the marker: at a quorum of the datacenter named by
	// through, and at a quorum of each datacenter.
	marked  [2]int64
	through string
	// recipient is the recipient of some message; may be empty.
	recipient string
}

// noteSince records the bulk_since of a marker; zero: no marker was seen. From since on messages may be
// in days, whatever an earlier read found: it may have read a table that was lost and is being rebuilt.
func (b *bulkState) noteSince(since int64) {
	if b.since = earliest(b.since, since); b.since != 0 {
		b.before = min(b.before, b.since)
	}
}

// maxBulkStates bounds the memory of bulkStates: about 140 octets each.
const maxBulkStates = 100_000

// bulkStates holds the bulkState of mailboxes. Safe for concurrent use.
type bulkStates struct {
	window time.Duration // Config.Window
	cache  cache.Cache[mail.MailboxID, bulkState]
}

func newBulkStates(window time.Duration) *bulkStates {
	return &bulkStates{window, cache.New[mail.MailboxID, bulkState](maxBulkStates)}
}

// of returns the state of a mailbox.
func (s *bulkStates) of(mailbox mail.MailboxID) (b bulkState, known bool) {
	return s.cache.Get(mailbox)
}

// change changes the state of a mailbox.
func (s *bulkStates) change(mailbox mail.MailboxID, change func(*bulkState)) {
	s.cache.Change(mailbox, func(b bulkState, _ bool) (bulkState, bool) {
		change(&b)
		return b, true
	})
}

// forgetAll forgets all states, after a failover: another datacenter may lack rows that were read.
func (s *bulkStates) forgetAll() { s.cache.RemoveAll() }

// learn records the result of a read at a quorum that began at checked: the bulk_since of the mailbox,
// or zero without a marker.
//
// A mailbox becomes bulk for messages from a window after the write of the marker. So a marker
// missed by this read concerns no message before checked plus a window, less the difference of two
// clocks. An exception is a marker written in another datacenter and delayed on its way here by a
// whole window.
//
// If a marker that this process has written is gone the table was lost. The next message then writes
// the marker again.
func (s *bulkStates) learn(mailbox mail.MailboxID, since int64, checked time.Time, recipient string) {
	before := micros(checked.Add(s.window - 2*store.MaxClockSkew))
	s.change(mailbox, func(b *bulkState) {
		b.before = max(b.before, before)
		b.noteSince(since)
		if since == 0 && b.marked[0] < micros(checked) {
			b.marked = [2]int64{}
		}
		if recipient != "" {
			b.recipient = recipient
		}
	})
}

// segmentsOf lists the possible segments of a message, the likeliest first.
func (s *bulkStates) segmentsOf(mailbox mail.MailboxID, id mail.MessageID) []int {
	b, known := s.of(mailbox)
	day := dayOfID(id)
	switch {
	case day <= ordinary || known && id.Micros() < b.before:
		return []int{ordinary}
	case b.since != 0 && id.Micros() >= b.since:
		return []int{day, ordinary}
	}
	return []int{ordinary, day}
}
