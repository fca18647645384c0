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
	// Err of a run since the start of the server; nil for earlier runs.
	Err error
	// Failure is Err in words, see Config.Describe; also for runs before the start.
	Failure string
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

// History returns the last runs of a job, the latest first, see Config.History and Config.HistoryFile. Errors:
// ErrNoSuchJob.
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

// noteLocked puts a run into the history, and reports whether the history has changed. s.mu is held.
func (s *state) noteLocked(p Past, before Result, most int) bool {
	if !p.notable(before) || most <= 0 {
		return false
	}
	s.past = lastOf(append(s.past, p), most)
	return true
}

// lastOf returns the last runs, up to most.
func lastOf(past []Past, most int) []Past {
	return slices.Delete(past, 0, max(len(past)-max(most, 0), 0))
}

// histories returns the history of every job, by name, the oldest run first.
func (r *Runner) histories() map[string][]Past {
	all := map[string][]Past{}
	for _, s := range r.jobs {
		s.mu.Lock()
		all[s.job.Name] = slices.Clone(s.past)
		s.mu.Unlock()
	}
	return all
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
