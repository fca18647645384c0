package task

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"popelago/account"
	"popelago/store"
)

// SweepConfig holds the settings of the jobs floor, reap and orphans.
type SweepConfig struct {
	// Floor and Reap are the pauses between runs of the jobs, Orphans the time between the beginnings
	// of two searches through all content. Zero: only on request.
	Floor, Reap, Orphans time.Duration
	// Grace is the time for which content stays after the last mailbox removed it, and for which
	// content without any mailbox is treated as a delivery in flight. Grace must be longer than the
	// longest delivery.
	Grace time.Duration
	// Undelete is the time for which the content of removed messages is kept, if longer than Grace.
	Undelete time.Duration
	// Now returns the time. Nil means time.Now.
	Now func() time.Time
	// Logger receives the mailboxes that become bulk. Default: no log.
	Logger *slog.Logger
}

func (c SweepConfig) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// Floor returns the job that keeps the cost of listing mailboxes flat, and makes mailboxes bulk that
// have grown too large for one partition.
func Floor(cfg SweepConfig, dir *account.Directory, st store.Background) Job {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return Job{Name: "floor", Every: cfg.Floor, Run: func(ctx context.Context, _ bool) (report Report, err error) {
		r, err := st.RaiseFloors(store.Watch(ctx, func(soFar store.FloorReport) { showProgress(ctx, floorReport(soFar)) }))
		report = floorReport(r)
		bulk, bulkErr := setBulk(ctx, cfg.Logger, dir, r.Grown)
		report.add("bulk", int64(bulk))
		return report, errors.Join(err, bulkErr)
	}}
}

func floorReport(f store.FloorReport) (r Report) {
	r.add("mailboxes", int64(f.Mailboxes))
	r.add("raised", int64(f.Raised))
	r.add(blocked, int64(f.Blocked))
	r.add(remaining, int64(f.Remaining))
	return r
}

// setBulk makes mailboxes bulk, and returns their number. The store reports mailboxes that fail again
// later.
func setBulk(ctx context.Context, logger *slog.Logger, dir *account.Directory, grown []store.GrownMailbox) (n int, err error) {
	var failed failures
	for _, g := range grown {
		a, since, err := dir.SetBulkByRecipient(ctx, g.Recipient, g.Mailbox)
		if err := failed.add(ctx, err); err != nil {
			return n, failed.join(err)
		}
		if err == nil && !since.IsZero() {
			n++
			logger.Info("mailbox has grown, and becomes bulk", "address", a.String(), "mailbox", g.Mailbox.String(), "since", since)
		}
	}
	return n, failed.join(nil)
}

// Reap returns the job that reclaims the content of removed messages.
func Reap(cfg SweepConfig, st store.Background) Job {
	return Job{Name: "reap", Every: cfg.Reap, Run: func(ctx context.Context, _ bool) (Report, error) {
		watched := store.Watch(ctx, func(soFar store.SweepReport) { showProgress(ctx, sweepReport(soFar)) })
		r, err := st.Sweep(watched, cfg.now().Add(-max(cfg.Grace, cfg.Undelete)))
		return sweepReport(r), err
	}}
}

// orphansAgain is the interval at which the job looks for a search for orphans that is due, or that
// another server left unfinished.
const orphansAgain = 10 * time.Minute

// Orphans returns the job that reclaims content that never got into a mailbox.
func Orphans(cfg SweepConfig, st store.Background) Job {
	every := min(cfg.Orphans, orphansAgain)
	return Job{Name: "orphans", Every: every, Run: func(ctx context.Context, asked bool) (Report, error) {
		now := cfg.now()
		begun := now.Add(-cfg.Orphans)
		if asked {
			begun = now
		}
		watched := store.Watch(ctx, func(soFar store.OrphanReport) { showProgress(ctx, orphanReport(soFar)) })
		r, err := st.SweepOrphans(watched, now.Add(-cfg.Grace), begun)
		return orphanReport(r), err
	}}
}

func orphanReport(o store.OrphanReport) (r Report) {
	r.add("percent", int64(o.Percent))
	r.add("looked", int64(o.Looked))
	return append(r, sweepReport(o.SweepReport)...)
}

func sweepReport(s store.SweepReport) (r Report) {
	r.add("contents", int64(s.Contents))
	r.add("octets", s.Octets)
	r.add(othersShare, int64(s.Elsewhere))
	r.add(blocked, int64(s.Blocked))
	r.add(held, int64(s.Held))
	r.add(remaining, int64(s.Remaining))
	return r
}
