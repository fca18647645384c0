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
	// Floor and Reap are the pauses between runs of these jobs, Orphans that between the
	// beginnings of two looks through all content. Zero: only when asked for.
	Floor, Reap, Orphans time.Duration
	// Grace is how long content stays after the last mailbox removed it, and how long
	// content without any mailbox is taken for a delivery still under way. It has to be
	// longer than the longest delivery.
	Grace time.Duration
	// Undelete is how long the content of removed messages is kept, if that is longer than
	// Grace.
	Undelete time.Duration
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
	// Logger takes which mailboxes become bulk. Default: nothing is logged.
	Logger *slog.Logger
}

func (c SweepConfig) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

// Floor is the job that keeps the cost of listing mailboxes flat. Those that have grown too
// large for one place it makes bulk.
func Floor(cfg SweepConfig, dir *account.Directory, st store.Background) Job {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return Job{Name: "floor", Every: cfg.Floor, Run: func(ctx context.Context, _ bool) (report Report, err error) {
		r, err := st.RaiseFloors(ctx)
		report.add("mailboxes", int64(r.Mailboxes))
		report.add("raised", int64(r.Raised))
		report.add(blocked, int64(r.Blocked))
		bulk, bulkErr := setBulk(ctx, cfg.Logger, dir, r.Grown)
		report.add("bulk", int64(bulk))
		return report, errors.Join(err, bulkErr)
	}}
}

// setBulk makes mailboxes bulk, and returns how many. What fails is noticed again some time.
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

// Reap is the job that gives back the space of content whose messages were removed.
func Reap(cfg SweepConfig, st store.Background) Job {
	return Job{Name: "reap", Every: cfg.Reap, Run: func(ctx context.Context, _ bool) (report Report, err error) {
		r, err := st.Sweep(ctx, cfg.now().Add(-max(cfg.Grace, cfg.Undelete)))
		report.addSweep(r)
		return report, err
	}}
}

// orphansAgain is how often it is looked whether the search for orphans is due, or was left
// unfinished by another server.
const orphansAgain = 10 * time.Minute

// Orphans is the job that gives back the space of content that never got into a mailbox.
func Orphans(cfg SweepConfig, st store.Background) Job {
	every := min(cfg.Orphans, orphansAgain)
	return Job{Name: "orphans", Every: every, Run: func(ctx context.Context, asked bool) (report Report, err error) {
		now := cfg.now()
		begun := now.Add(-cfg.Orphans)
		if asked {
			begun = now
		}
		r, err := st.SweepOrphans(ctx, now.Add(-cfg.Grace), begun)
		report.add("looked", int64(r.Looked))
		report.addSweep(r.SweepReport)
		return report, err
	}}
}

func (r *Report) addSweep(s store.SweepReport) {
	r.add("contents", int64(s.Contents))
	r.add("octets", s.Octets)
	r.add(elsewhere, int64(s.Elsewhere))
	r.add(blocked, int64(s.Blocked))
}
