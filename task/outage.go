package task

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"popelago/store"
)

// outageReminder is the interval at which the log repeats that jobs fail because the storage does not
// answer.
const outageReminder = 5 * time.Minute

// outage limits the log lines about jobs that fail because the storage does not answer: one line for
// the first failure, one every outageReminder while any job fails, and one at the end. Safe for
// concurrent use. The zero value is ready.
type outage struct {
	mu      sync.Mutex
	failing map[string]bool // jobs whose last run failed
	said    time.Time       // the last line about a failure
	unsaid  int             // failures since said
}

// failed notes that a run of a job failed, and reports whether to log the failure. unsaid counts the
// earlier failures without a line.
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

// worked notes that the storage answered a job, and reports whether this ended the outage.
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

// logFailure logs the failure of a run. An outage of the storage is one event, whatever the number of
// failing jobs.
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
