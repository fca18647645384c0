package cassandra

import (
	"context"
	"errors"
	"time"

	"popelago/store"
)

// MayReclaim implements store.Background.
func (s *sweeper) MayReclaim() error {
	if err := s.clock.Clock(); err != nil {
		return err
	}
	return s.windows.check()
}

// Mine implements store.WorkShare.
func (s *sweeper) Mine(key string) bool { return s.peers.mine(key) }

// RaiseFloors implements store.Background. It raises the floors of mailboxes that this server has
// removed many messages from, and reports the mailboxes that should become bulk.
//
// While the heartbeats of a datacenter cannot be read, no floor rises: a server there may have a longer in-flight window,
// and write a row below the floor.
func (s *sweeper) RaiseFloors(ctx context.Context) (report store.FloorReport, err error) {
	_, err = s.inBackground(ctx, s.state.floors, s.cfg.Now(), func(ctx context.Context, r *sweepRun) error {
		err := (&floorRun{r}).raiseAll(ctx, &report)
		report.Grown = s.candidates.take()
		return err
	})
	return report, err
}

// Sweep implements store.Background.
//
// Sweep works through the trash of this datacenter, and of datacenters written off, hour by hour. The
// servers of the datacenter share the shards. Sweep removes a content only after reads at ALL, and only
// when the id is older than the in-flight window. Rows that cannot be read at ALL, because a replica is
// away, are left alone, counted, and tried again a window later; other rows are swept. The trash of an
// hour is read once the hour is over, and before that at most once in a window.
//
// While the heartbeats of a datacenter cannot be read, nobody sweeps: a server there may have a longer in-flight window.
//
// A content is removed when each of its mailboxes was swept, or has neither row nor trash. Until then
// the swept mailboxes are noted in chunk 0, in a set that only grows.
func (s *sweeper) Sweep(ctx context.Context, olderThan time.Time) (store.SweepReport, error) {
	return s.inBackground(ctx, s.state.trash, olderThan, func(ctx context.Context, r *sweepRun) error {
		if err := s.windows.fresh(); err != nil {
			return err
		}
		return (&trashRun{sweepRun: r}).emptyTrash(ctx)
	})
}

// SweepOrphans implements store.Background. It scans all content, in the order of Cassandra's tokens,
// for contents without a row in any mailbox and without trash, and for chunks without a chunk 0. The
// position is noted in the cluster. One server of the datacenter scans, and another server continues
// after the first is gone. An arc of the ring that cannot be read is counted as blocked, and left to the next scan.
func (s *sweeper) SweepOrphans(ctx context.Context, olderThan, begun time.Time) (report store.OrphanReport, err error) {
	report.SweepReport, err = s.inBackground(ctx, s.state.orphans, olderThan, func(ctx context.Context, r *sweepRun) error {
		if err := s.windows.fresh(); err != nil {
			return err
		}
		return (&orphanRun{sweepRun: r}).findOrphans(ctx, begun, &report.Looked)
	})
	return report, err
}

// inBackground does a run of background work unless the run has to wait.
func (s *sweeper) inBackground(ctx context.Context, running store.Turn, olderThan time.Time, work func(context.Context, *sweepRun) error) (store.SweepReport, error) {
	if s.run.isClosed() {
		return store.SweepReport{}, store.ErrClosed
	}
	running.Lock()
	defer running.Unlock()
	if err := s.MayReclaim(); err != nil {
		return store.SweepReport{}, err
	}
	r := s.newRun(olderThan)
	err := work(ctx, r)
	switch {
	case ctx.Err() != nil:
		err = nil
	case err == nil || errors.Is(err, errTired):
		err = r.tally.verdict()
	}
	return r.report, err
}
