package task

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Past is a run that ended.
type Past struct {
	Started, Ended time.Time
	Asked          bool // the run was requested
	Result         Result
	Report         Report
	Err            error
}

// notable reports whether the history keeps a run behind an earlier run. Runs on schedule that had nothing
// to do, or that had to wait like the run before, would hide all other runs.
func (p Past) notable(before Result) bool {
	switch {
	case p.Asked:
		return true
	case p.Result == ResultOK:
		return len(p.Report.done()) > 0
	case p.Result == ResultRefused:
		return before != ResultRefused
	}
	return true
}

// History returns the last runs of a job since the start of the server, the latest first, see
// Config.History. Errors: ErrNoSuchJob.
func (r *Runner) History(name string) ([]Past, error) {
	s, err := r.find(name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.past)
	slices.Reverse(list)
	return list, nil
}

// noteLocked puts a run into the history. s.mu is held.
func (s *state) noteLocked(p Past, before Result, most int) {
	if !p.notable(before) || most <= 0 {
		return
	}
	s.past = append(s.past, p)
	if over := len(s.past) - most; over > 0 {
		s.past = slices.Delete(s.past, 0, over)
	}
}

// ErrCancelled is the cause of the end of a run that Cancel ended.
var ErrCancelled = errors.New("the run was cancelled")

// Cancel ends the run in progress of a job between two steps. It returns false without such a run: Cancel
// may be repeated. The history says that the run was cancelled. Errors: ErrNoSuchJob.
func (r *Runner) Cancel(name string) (bool, error) {
	s, err := r.find(name)
	if err != nil {
		return false, err
	}
	if !s.cancel() {
		return false, nil
	}
	r.cfg.Logger.Info("background job is cancelled", "job", name)
	return true, nil
}

func (s *state) cancel() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.status.Running {
		return false
	}
	s.stop(ErrCancelled)
	return true
}

// progress holds the report of a run so far. Safe for concurrent use.
type progress struct {
	mu     sync.Mutex
	report Report
}

// progressKey is the key of the progress of a run in its context.
type progressKey struct{}

// showProgress shows the report of a run so far, for Status.Report of a running job.
func showProgress(ctx context.Context, r Report) {
	if p, ok := ctx.Value(progressKey{}).(*progress); ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.report = r
	}
}

func (p *progress) get() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report
}
