package embedded

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/store"
)

// sweeper implements store.Background. Sweep works through four lists, each in the order of insertion:
//
//	pending         contents in memory without a message
//	prefixOrphan    contents written to the database without a message; some have had messages since
//	prefixTrash     calls of RemoveMessages whose contents may be removed
//	prefixUnpurged  calls of RemoveMessages whose contents are gone; their markers may be removed
//	                once they are older than markerAge by the clock and by olderThan
//
// and, once after Open, through the content files without a row, left by a crash or a failure. SweepOrphans does
// all of this that concerns no removed message, and so need not wait until removed messages may go. Safe for
// concurrent use.
type sweeper struct {
	link      *link
	closing   *closing
	clock     *clockWatch
	state     *sweepState
	orphans   *orphans
	trash     *trash
	remover   *remover
	markers   *markers
	leftovers *leftovers
	tidier    *tidier
	undelete  time.Duration // Config.Undelete
}

// flushAfter is the count of octets of removed inline content after which tombstones are flushed, so that
// compaction reclaims their space.
const flushAfter = 16 << 20

// sweepPage is about the count of contents removed in one write; a trash row has no more.
const sweepPage = 200

// Sweep implements store.Background.
func (s *sweeper) Sweep(ctx context.Context, olderThan time.Time) (store.SweepReport, error) {
	if err := s.ready("sweep"); err != nil {
		return store.SweepReport{}, err
	}
	if s.undelete > 0 { // so olderThan is a promise, counted back from the clock
		olderThan = olderThan.Add(s.clock.sureTime().Sub(s.clock.now()))
	}
	run := s.state.begin(olderThan)
	defer run.end()
	err := run.steps(ctx, s.orphans.sweepPending, s.orphans.sweepRows, s.sweepTrash, s.markers.purge, s.leftovers.sweep, s.reclaimSpace)
	return run.report, translate(err, "sweep")
}

// sweepTrash removes the contents of old removals and moves their rows to prefixUnpurged.
func (s *sweeper) sweepTrash(ctx context.Context, run *sweepRun) error {
	lower, upper := []byte{prefixTrash}, trashKey(prefixTrash, run.olderThan.UnixMicro(), 0)
	for {
		rows, err := s.trash.page(ctx, &lower, upper)
		if err != nil || len(rows) == 0 {
			return err
		}
		notes, err := retrievalsOf(s.link, rows)
		if err != nil {
			return err
		}
		err = s.remover.remove(ctx, run, idsOf(rows), func(b *pebble.Batch) error {
			return errors.Join(deleteKeys(b, notes), moveSwept(b, rows))
		})
		if err != nil {
			return err
		}
	}
}

// reclaimSpace reclaims the space of removed contents and of removed rows.
func (s *sweeper) reclaimSpace(ctx context.Context, run *sweepRun) error {
	if run.state.unflushed >= flushAfter {
		if err := s.link.flush(ctx, "sweep"); err != nil {
			return err
		}
		run.state.unflushed = 0
	}
	return s.tidier.sweep(ctx)
}

// removeOrphans removes the orphans among some contents, see store.Checks.
func (s *sweeper) removeOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (store.SweepReport, error) {
	const what = "remove orphans"
	if err := contextErr(ctx, what); err != nil {
		return store.SweepReport{}, err
	}
	if err := s.ready(what); err != nil {
		return store.SweepReport{}, err
	}
	var ids []mail.MessageID
	asked := map[mail.MessageID]bool{}
	for _, c := range contents {
		if c.ID.Time().Before(olderThan) {
			ids = append(ids, c.ID)
			asked[c.ID] = true
		}
	}
	run := s.state.begin(olderThan)
	defer run.end()
	trashed, err := s.trash.find(ctx, func(id mail.MessageID, _ mail.MailboxID) bool { return asked[id] })
	if err != nil {
		return run.report, err
	}
	ids = slices.DeleteFunc(ids, func(id mail.MessageID) bool { return trashed[id] != nil })
	return run.report, translate(s.orphans.remove(ctx, run, ids), what)
}

// RaiseFloors implements store.Background: mailboxes are tidied as they are emptied, see tidy.go.
func (s *sweeper) RaiseFloors(context.Context) (store.FloorReport, error) {
	return store.FloorReport{}, s.ready("raise floors")
}

// SweepOrphans implements store.Background. There is a list of orphans, so each call looks for all of them.
func (s *sweeper) SweepOrphans(ctx context.Context, olderThan, _ time.Time) (store.OrphanReport, error) {
	const what = "sweep orphans"
	if err := s.ready(what); err != nil {
		return store.OrphanReport{}, err
	}
	run := s.state.beginOrphans(olderThan)
	defer run.end()
	err := run.steps(ctx, s.orphans.sweepPending, s.orphans.sweepRows, s.leftovers.sweep, s.reclaimSpace)
	return store.OrphanReport{SweepReport: run.report}, translate(err, what)
}

// MayReclaim implements store.Background.
func (s *sweeper) MayReclaim() error { return s.clock.Clock() }

// ready is MayReclaim while the store is open.
func (s *sweeper) ready(what string) error {
	if s.closing.hasBegun() {
		return translate(store.ErrClosed, what)
	}
	return s.MayReclaim()
}
