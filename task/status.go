package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Result is the result of a run.
type Result string

// The results.
const (
	ResultOK        Result = "ok"
	ResultError     Result = "error"
	ResultPanic     Result = "panic"
	ResultRefused   Result = "refused"   // see Config.MayRun and Job.After
	ResultStopped   Result = "stopped"   // the server stops
	ResultCancelled Result = "cancelled" // see Runner.Cancel
)

// Status is the state of a job since the start of the server.
type Status struct {
	Name  string
	Every time.Duration // zero: only on request
	// Running: a run, which began at Started, has not ended yet.
	Running bool
	// Progress is the report of the run in progress so far, of jobs that tell.
	Progress Report
	// Started is the beginning of the last run; zero: no run yet.
	Started time.Time
	// Ended, Result, Report and Err of the last run that ended; zero: no run yet.
	Ended  time.Time
	Result Result
	Report Report
	Err    error
	// Next is the moment at which the next run is due; zero during a run, and without a due run.
	Next time.Time
	// Runs counts the runs that ended.
	Runs int
}

// Errors of a Runner.
var (
	// ErrNoSuchJob: no job has the name.
	ErrNoSuchJob = errors.New("no such background job")
	// ErrTooEarly: the first run of a job is not due yet, see Job.After.
	ErrTooEarly = errors.New("the server has started just now")
	// ErrStopped: the runner was closed.
	ErrStopped = errors.New("background work has stopped")
)

// Jobs returns the states of all jobs, in the order of New.
func (r *Runner) Jobs() []Status {
	list := make([]Status, len(r.jobs))
	for i, s := range r.jobs {
		list[i], _ = s.get()
	}
	return list
}

// Job returns the state of one job. Errors: ErrNoSuchJob.
func (r *Runner) Job(name string) (Status, error) {
	s, err := r.find(name)
	if err != nil {
		return Status{}, err
	}
	status, _ := s.get()
	return status, nil
}

// Ask requests a run of a job soon, or once more after a run in progress, and returns the value that
// Status.Runs has at the end of the requested run. Errors: ErrNoSuchJob, ErrStopped.
func (r *Runner) Ask(name string) (run int, err error) {
	s, err := r.find(name)
	switch {
	case err != nil:
		return 0, err
	case r.ctx.Err() != nil:
		return 0, ErrStopped
	}
	return s.ask(), nil
}

// Wait waits until Status.Runs of a job is at least runs. The Status has the result of the last run.
//
// Errors: ErrNoSuchJob, ErrStopped; ctx.Err(), wrapped, if ctx ended first, with the Status of that
// moment.
func (r *Runner) Wait(ctx context.Context, name string, runs int) (Status, error) {
	s, err := r.find(name)
	if err != nil {
		return Status{}, err
	}
	for {
		status, changed := s.get()
		if status.Runs >= runs {
			return status, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return status, fmt.Errorf("task: %s is not done: %w", name, ctx.Err())
		case <-r.ctx.Done():
			return status, ErrStopped
		}
	}
}

// Run is Ask and Wait.
func (r *Runner) Run(ctx context.Context, name string) (Status, error) {
	run, err := r.Ask(name)
	if err != nil {
		return Status{}, err
	}
	return r.Wait(ctx, name, run)
}

func (r *Runner) find(name string) (*state, error) {
	for _, s := range r.jobs {
		if s.job.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%q: %w", name, ErrNoSuchJob)
}

// state is a job with its Status.
type state struct {
	job  Job
	wake chan struct{} // a run is requested

	mu      sync.Mutex
	status  Status
	asked   bool
	stop    context.CancelCauseFunc // ends the run in progress
	shows   *progress               // of the run in progress
	past    []Past                  // the oldest first, see Config.History and Config.HistoryFile
	changed chan struct{}           // closed, and another made, when a run ends
}

func newState(job Job) *state {
	return &state{
		job: job, wake: make(chan struct{}, 1), changed: make(chan struct{}),
		status: Status{Name: job.Name, Every: job.Every},
	}
}

func (s *state) get() (Status, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	if status.Running {
		status.Progress = s.shows.get()
	}
	return status, s.changed
}

// ask returns the number of the run that will begin next.
func (s *state) ask() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
	select {
	case s.wake <- struct{}{}:
	default: // woken already
	}
	if s.status.Running {
		return s.status.Runs + 2
	}
	return s.status.Runs + 1
}

func (s *state) next(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Next = at
}

// begin begins a run, which the returned context ends early.
func (s *state) begin(ctx context.Context) (run context.Context, asked bool, start time.Time) {
	shows := &progress{}
	run, stop := context.WithCancelCause(context.WithValue(ctx, progressKey{}, shows))
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, false
	select {
	case <-s.wake: // this is the requested run
	default:
	}
	start = time.Now()
	s.status.Running, s.status.Started, s.status.Next = true, start, time.Time{}
	s.stop, s.shows = stop, shows
	return run, asked, start
}

// end stores the result of a run, and returns the result of the run before, and whether the history has changed.
// The history has at most most runs. failure is err in words.
func (s *state) end(asked bool, result Result, report Report, err error, failure string, most int) (before Result, noted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop(nil)
	before = s.status.Result
	s.status.Running = false
	s.status.Ended = time.Now()
	noted = s.noteLocked(Past{
		Started: s.status.Started, Ended: s.status.Ended, Asked: asked, Result: result, Report: report, Err: err, Failure: failure,
	}, before, most)
	s.status.Result, s.status.Report, s.status.Err = result, report, err
	s.status.Runs++
	close(s.changed)
	s.changed = make(chan struct{})
	return before, noted
}
