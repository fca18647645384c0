package embedded

import (
	"context"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
)

// tidy keeps the cost of listing a mailbox flat. A removed row leaves a tombstone in the database, and a
// list reads all tombstones between its rows. After many removals from a mailbox, or after a list has read
// many tombstones, the range of keys of the mailbox is compacted down to the lowest level, which drops
// tombstones.
type tidy struct {
	mu     sync.Mutex
	counts map[mail.MailboxID]int // removals since the mailbox was tidied
	due    map[mail.MailboxID]struct{}
	wake   chan struct{}
	// running is held while mailboxes are tidied.
	running sync.Mutex
}

func (t *tidy) init() {
	t.counts = make(map[mail.MailboxID]int)
	t.due = make(map[mail.MailboxID]struct{})
	t.wake = make(chan struct{}, 1)
}

// removed counts n removals.
func (t *tidy) removed(mailbox mail.MailboxID, n, limit int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[mailbox] += n
	if t.counts[mailbox] >= limit {
		t.dueLocked(mailbox)
	}
}

// listed takes the statistics of a list.
func (t *tidy) listed(mailbox mail.MailboxID, stats pebble.IteratorStats, limit int) {
	if passedOver(stats) < limit {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dueLocked(mailbox)
}

// passedOver counts the keys that an iterator read and did not return.
func passedOver(stats pebble.IteratorStats) int {
	return stats.ForwardStepCount[pebble.InternalIterCall] - stats.ForwardStepCount[pebble.InterfaceCall] +
		int(stats.InternalStats.PointsCoveredByRangeTombstones)
}

func (t *tidy) dueLocked(mailbox mail.MailboxID) {
	delete(t.counts, mailbox)
	t.due[mailbox] = struct{}{}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// sweepDivisor divides the count of removals after which Sweep tidies a mailbox.
const sweepDivisor = 8

// dueForSweep marks the mailboxes with at least min removals.
func (t *tidy) dueForSweep(min int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for mailbox, n := range t.counts {
		if n >= min {
			t.dueLocked(mailbox)
		}
	}
}

func (t *tidy) take() map[mail.MailboxID]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	due := t.due
	t.due = make(map[mail.MailboxID]struct{})
	return due
}

// tidier works until the store is closed.
func (s *Store) tidier() {
	ctx, cancel := s.closing.context()
	defer cancel()
	for {
		select {
		case <-s.closing.begun:
			return
		case <-s.tidy.wake:
		}
		if err := s.tidyDue(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("embedded store: closing the gaps in mailboxes", "cause", err)
		}
	}
}

// tidyDue compacts the mailboxes that are due.
func (s *Store) tidyDue(ctx context.Context) error {
	s.tidy.running.Lock()
	defer s.tidy.running.Unlock()
	for mailbox := range s.tidy.take() {
		err := s.link.read("close gaps", func(db *pebble.DB) error {
			lower, upper := mailboxBounds(mailbox)
			return db.Compact(ctx, lower, upper, false)
		})
		if err != nil {
			return err
		}
		s.metrics.tidied.Inc()
	}
	return nil
}
