package task

import (
	"context"
	"log/slog"
	"time"

	"popelago/store"
)

// SweepEvery is how often unused content is looked for.
const SweepEvery = time.Minute

// SweepConfig holds the settings of the sweep job.
type SweepConfig struct {
	// Grace is how long content stays after the last mailbox removed it, and how long
	// content without any mailbox is taken for a delivery still under way. It has to be
	// longer than the longest delivery.
	Grace time.Duration
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Sweep is the job that gives back the space of content nobody refers to any more.
func Sweep(cfg SweepConfig, st store.Store) Job {
	now := cfg.Now
	if now == nil {
		now = time.Now
	}
	return Job{Name: "sweep", Every: SweepEvery, Run: func(ctx context.Context) ([]slog.Attr, error) {
		report, err := st.Sweep(ctx, now().Add(-cfg.Grace))
		var attrs []slog.Attr
		if report.Contents > 0 {
			attrs = []slog.Attr{slog.Int("contents", report.Contents), slog.Int64("octets", report.Octets)}
		}
		return attrs, err
	}}
}
