package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Result is how a run ended.
type Result string

// The results.
const (
	ResultOK      Result = "ok"
	ResultError   Result = "error"
	ResultPanic   Result = "panic"
	ResultRefused Result = "refused" // see Config.MayRun and Job.After
	ResultStopped Result = "stopped" // the server stops
)

// Status is what a job does and did since the server started.
type Status struct {
	Name  string
	Every time.Duration // zero: it runs only when asked for
	// Running says that a run is under way, which began at Started.
	Running bool
	// Started is when the last run began; zero: there was none.
	Started time.Time
	// Ended, Result, Report and Err are of the last run that ended; zero: there was none.
	Ended  time.Time
	Result Result
	Report Report
	Err    error
	// Next is when the next run is due; zero while one is under way, and if none is.
	Next time.Time
	// Runs counts those that ended.
	Runs int
}

// What a Runner may answer.
var (
	// ErrNoSuchJob: no job has that name.
	ErrNoSuchJob = errors.New("no such background job")
	// ErrTooEarly: the server has not been running for long enough for a job, see Job.After.
	ErrTooEarly = errors.New("the server has started just now")
	// ErrStopped: the runner does not run any more.
	ErrStopped = errors.New("background work has stopped")
)

// Jobs tells about all jobs, in the order that they were given in.
func (r *Runner) Jobs() []Status {
	list := make([]Status, len(r.jobs))
	for i, s := range r.jobs {
		list[i], _ = s.get()
	}
	return list
}

// Job tells about one job. Errors: ErrNoSuchJob.
func (r *Runner) Job(name string) (Status, error) {
	s, err := r.find(name)
	if err != nil {
		return Status{}, err
	}
	status, _ := s.get()
	return status, nil
}

// Ask makes a job run soon, or once more if it is running, and returns what Status.Runs will be
// when that run has ended. Errors: ErrNoSuchJob, ErrStopped.
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

// Wait waits until so many runs of a job have ended. What became of the last is in the Status.
//
// Errors: ErrNoSuchJob, ErrStopped; ctx.Err(), wrapped, if ctx ended first: the Status is as it
// is then.
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

// state is a job and what is known about its runs.
type state struct {
	job  Job
	wake chan struct{} // a run is asked for

	mu      sync.Mutex
	status  Status
	asked   bool
	changed chan struct{} // closed, and another made, when a run ends
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
	return s.status, s.changed
}

// ask returns the number of the run that will begin next.
func (s *state) ask() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = true
	select {
	case s.wake <- struct{}{}:
	default: // it is being woken
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

func (s *state) begin() (asked bool, start time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, false
	select {
	case <-s.wake: // this is that run
	default:
	}
	start = time.Now()
	s.status.Running, s.status.Started, s.status.Next = true, start, time.Time{}
	return asked, start
}

// end returns how the run before ended.
func (s *state) end(result Result, report Report, err error) (before Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.status.Result
	s.status.Running = false
	s.status.Ended = time.Now()
	s.status.Result, s.status.Report, s.status.Err = result, report, err
	s.status.Runs++
	close(s.changed)
	s.changed = make(chan struct{})
	return before
}
