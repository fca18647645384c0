package task

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"popelago/store"
)

// outageReminder is how often the log says again that jobs fail because the storage does not answer.
const outageReminder = 5 * time.Minute

// outage is what the log says of jobs that fail because the storage does not answer: one line for
// the first failure, one every outageReminder while any job goes on failing, and one when none does
// any more. Safe for concurrent use. The zero value is ready.
type outage struct {
	mu      sync.Mutex
	failing map[string]bool // jobs of which the last run failed
	said    time.Time
	unsaid  int // failures since then
}

// failed notes that a run of a job failed, and reports whether to say so. unsaid counts the
// failures before of which nothing was said.
func (o *outage) failed(job string, now time.Time) (unsaid int, say bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := len(o.failing) == 0
	if first {
		o.failing, o.unsaid = map[string]bool{}, 0
	}
	o.failing[job] = true
	if !first && now.Sub(o.said) < outageReminder {
		o.unsaid++
		return 0, false
	}
	unsaid, o.unsaid, o.said = o.unsaid, 0, now
	return unsaid, true
}

// worked notes that the storage answered a job, and reports whether now all jobs are answered that
// were not.
func (o *outage) worked(job string) (over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.failing[job] {
		return false
	}
	delete(o.failing, job)
	return len(o.failing) == 0
}

// isOutage reports whether the storage did not answer.
func isOutage(err error) bool {
	return (errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrOutcomeUnknown)) && !errors.Is(err, store.ErrCorrupt)
}

// logFailure logs why a run of a job failed. That the storage does not answer is one cause, however
// many jobs it concerns.
func (r *Runner) logFailure(ctx context.Context, job string, report Report, err error) {
	level, attrs := slog.LevelError, append(report.attrs(), slog.String("job", job), slog.Any("cause", err))
	if isOutage(err) {
		unsaid, say := r.outage.failed(job, time.Now())
		if !say {
			level = slog.LevelDebug
		} else if unsaid > 0 {
			attrs = append(attrs, slog.Int("others_since", unsaid))
		}
	}
	r.cfg.Logger.LogAttrs(ctx, level, "background job failed", attrs...)
}
