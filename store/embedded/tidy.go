package embedded

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
)

// tidier keeps the cost of listing a mailbox flat. A removed row leaves a tombstone in the database, and a
// list reads all tombstones between its rows. After many removals from a mailbox, or after a list has read
// many tombstones, the range of keys of the mailbox is compacted down to the lowest level, which drops
// tombstones. Safe for concurrent use.
type tidier struct {
	link    *link
	closing *closing
	limit   int // Config.TidyAfter
	logger  *slog.Logger
	metrics *metrics
	wake    chan struct{}

	mu     sync.Mutex             // guards counts and due
	counts map[mail.MailboxID]int // removals since the mailbox was tidied
	due    map[mail.MailboxID]struct{}

	turn sync.Mutex // held while mailboxes are tidied
}

func newTidier(cfg Config, l *link, c *closing, m *metrics) *tidier {
	return &tidier{
		link: l, closing: c, limit: cfg.TidyAfter, logger: cfg.Logger, metrics: m, wake: make(chan struct{}, 1),
		counts: make(map[mail.MailboxID]int), due: make(map[mail.MailboxID]struct{}),
	}
}

// removed counts n removals.
func (t *tidier) removed(mailbox mail.MailboxID, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[mailbox] += n
	if t.counts[mailbox] >= t.limit {
		t.dueLocked(mailbox)
	}
}

// listed takes the statistics of a list.
func (t *tidier) listed(mailbox mail.MailboxID, stats pebble.IteratorStats) {
	if passedOver(stats) < t.limit {
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

func (t *tidier) dueLocked(mailbox mail.MailboxID) {
	delete(t.counts, mailbox)
	t.due[mailbox] = struct{}{}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// sweepDivisor divides the count of removals after which Sweep tidies a mailbox.
const sweepDivisor = 8

// sweep tidies, for Sweep, also the mailboxes with fewer removals.
func (t *tidier) sweep(ctx context.Context) error {
	t.dueForSweep()
	return t.tidyDue(ctx)
}

func (t *tidier) dueForSweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	least := max(t.limit/sweepDivisor, 1)
	for mailbox, n := range t.counts {
		if n >= least {
			t.dueLocked(mailbox)
		}
	}
}

func (t *tidier) take() map[mail.MailboxID]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	due := t.due
	t.due = make(map[mail.MailboxID]struct{})
	return due
}

// keep takes mailboxes back, for the next run.
func (t *tidier) keep(due map[mail.MailboxID]struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.Copy(t.due, due)
}

// start starts the loop that tidies mailboxes.
func (t *tidier) start() { t.closing.loop(t.run) }

func (t *tidier) run() {
	ctx, cancel := t.closing.context()
	defer cancel()
	for {
		select {
		case <-t.closing.begun:
			return
		case <-t.wake:
		}
		if err := t.tidyDue(ctx); err != nil && ctx.Err() == nil {
			t.logger.Warn("embedded store: closing the gaps in mailboxes", "cause", err)
		}
	}
}

// tidyDue compacts the mailboxes that are due. After a failure the other mailboxes stay due.
func (t *tidier) tidyDue(ctx context.Context) error {
	t.turn.Lock()
	defer t.turn.Unlock()
	due := t.take()
	defer func() { t.keep(due) }()
	for mailbox := range due {
		lower, upper := mailboxBounds(mailbox)
		if err := t.link.compact(ctx, "close gaps", lower, upper); err != nil {
			return err
		}
		delete(due, mailbox)
		t.metrics.tidied.Inc()
	}
	return nil
}
