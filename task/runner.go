package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/span"
	"popelago/store"
)

// Job is one kind of background work.
type Job struct {
	// Name is the job's name in logs, metrics and commands.
	Name string
	// Every is the pause between the end of a run and the next run; a tenth is random, so that servers
	// do not run in step. Zero: the job runs only on request.
	Every time.Duration
	// After is the time from Start to the first run, also on request.
	After time.Duration
	// Run executes one run, and returns soon after ctx ends. asked: the run was requested, and need not
	// be due. A failed run has a report, too.
	Run func(ctx context.Context, asked bool) (Report, error)
}

// Report counts the work of a run. Counts of zero are absent.
type Report []Count

// Count is one line of a report. Name is one of a few fixed names, which are label values, too.
type Count struct {
	Name string
	N    int64
}

// remaining counts the parts of the work that a run in progress has not reached yet.
const remaining = "remaining"

// Counts of work that was not done.
const (
	othersShare = "elsewhere" // parts of the work in the share of other servers
	late        = "late"      // messages kept, see Purge
	shared      = "shared"    // mailboxes that several accounts have, see Expire
	blocked     = "blocked"   // parts of the work that wait for unreachable replicas
	held        = "held"      // contents of mailboxes that are being rebuilt
)

// done returns the counts of work that was done.
func (r Report) done() Report {
	undone := []string{othersShare, late, shared, blocked, held, AlarmUnfetched, AlarmGrowing}
	return slices.DeleteFunc(slices.Clone(r), func(c Count) bool { return slices.Contains(undone, c.Name) })
}

// add puts a count into the report unless it is zero.
func (r *Report) add(name string, n int64) {
	if n != 0 {
		*r = append(*r, Count{name, n})
	}
}

// count returns the count of a name.
func (r Report) count(name string) (n int64) {
	for _, c := range r {
		if c.Name == name {
			n += c.N
		}
	}
	return n
}

func (r Report) attrs() []slog.Attr {
	attrs := make([]slog.Attr, len(r), len(r)+3)
	for i, c := range r {
		attrs[i] = slog.Int64(c.Name, c.N)
	}
	return attrs
}

// Config holds the settings of a Runner.
type Config struct {
	// MayRun returns an error while no job may run, see store.Background.MayReclaim, and logs the
	// cause. Nil: jobs may always run.
	MayRun func() error
	// History is the number of runs of each job that History returns. Negative: none. Default 20.
	History int
	// HistoryFile is the path of a file in an existing folder that keeps the history for the next start; empty: the
	// history ends with the Runner.
	HistoryFile string
	// Describe returns the failure of a run in words, for HistoryFile. Nil: without words.
	Describe func(error) string
	// Logger receives failures and reports. Default: no log.
	Logger *slog.Logger
}

// DefaultHistory is the default of Config.History.
const DefaultHistory = 20

// Runner runs jobs from Start to Close. Safe for concurrent use.
type Runner struct {
	cfg     Config
	metrics *metrics
	jobs    []*state
	outage  outage
	file    historyFile

	ctx     context.Context // ended by Close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	started time.Time
}

// New makes a Runner, which needs Close. reg may be nil.
func New(cfg Config, reg prometheus.Registerer, jobs ...Job) *Runner {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.History == 0 {
		cfg.History = DefaultHistory
	}
	if cfg.MayRun == nil {
		cfg.MayRun = func() error { return nil }
	}
	if cfg.Describe == nil {
		cfg.Describe = func(error) string { return "" }
	}
	r := &Runner{cfg: cfg, metrics: newMetrics(reg), file: historyFile{path: cfg.HistoryFile, logger: cfg.Logger}}
	if cfg.History < 0 {
		r.file.path = ""
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	before := r.file.load()
	for _, job := range jobs {
		s := newState(job)
		s.past = lastOf(before[job.Name], cfg.History)
		r.jobs = append(r.jobs, s)
		if job.Every > 0 {
			r.metrics.complete.WithLabelValues(job.Name).SetToCurrentTime()
		}
	}
	return r
}

// Start begins to run the jobs, each for the first time at once, or after Job.After. Callers call
// Start once.
func (r *Runner) Start() {
	r.started = time.Now()
	for _, s := range r.jobs {
		r.wg.Go(func() { r.repeat(r.ctx, s) })
	}
}

// Close ends the jobs and waits for them. Close may be called without Start.
func (r *Runner) Close() {
	r.cancel()
	r.wg.Wait()
}

func (r *Runner) repeat(ctx context.Context, s *state) {
	pause := s.job.After
	if s.job.Every > 0 && pause <= 0 {
		r.once(ctx, s)
	}
	for {
		var due <-chan time.Time
		if every := s.job.Every; every > 0 {
			if wait := s.job.After - time.Since(r.started); wait > 0 {
				pause = wait
			} else {
				pause = store.Stagger(every)
			}
			s.next(time.Now().Add(pause))
			due = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-due:
		case <-s.wake:
		}
		r.once(ctx, s)
	}
}

// once executes a run, and stores, logs and counts the result.
func (r *Runner) once(ctx context.Context, s *state) {
	if ctx.Err() != nil {
		return
	}
	name := s.job.Name
	run, asked, start := s.begin(ctx)
	r.metrics.running.WithLabelValues(name).Set(1)
	result, report, err := r.guard(run, s.job, asked)
	took := time.Since(start)
	r.metrics.ended(name, result, report, took)
	r.logBlocked(ctx, s, report)
	failure := ""
	if err != nil {
		failure = r.cfg.Describe(err)
	}
	before, noted := s.end(asked, result, report, err, failure, r.cfg.History)
	if noted {
		r.file.save(r.histories)
	}
	if answered := result != ResultStopped && result != ResultCancelled && result != ResultRefused && !isOutage(err); answered && r.outage.worked(name) {
		r.cfg.Logger.InfoContext(ctx, "background jobs are answered by the storage again")
	}
	switch {
	case result == ResultStopped:
	case result == ResultCancelled:
		r.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "background job was cancelled",
			append(report.attrs(), slog.String("job", name), slog.Duration("took", took))...)
	case result == ResultRefused:
		if before != ResultRefused { // MayRun has logged the cause
			r.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "background job has to wait", slog.String("job", name), slog.Any("cause", err))
		}
	case err != nil:
		r.logFailure(ctx, name, report, err)
	case len(report.done()) > 0:
		r.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "background job done",
			append(report.attrs(), slog.String("job", name), slog.Duration("took", took))...)
	}
}

// logBlocked logs that a job begins to skip work because replicas are unreachable, or ends to.
func (r *Runner) logBlocked(ctx context.Context, s *state, report Report) {
	last, _ := s.get()
	switch n, before := report.count(blocked), last.Report.count(blocked); {
	case n > 0 && before == 0:
		r.cfg.Logger.WarnContext(ctx, "background job skips work that needs unreachable replicas", "job", s.job.Name, blocked, n)
	case n == 0 && before > 0:
		r.cfg.Logger.InfoContext(ctx, "background job is not blocked any more", "job", s.job.Name)
	}
}

// guard executes a run of a job unless MayRun or Job.After forbid it, and turns a panic into an
// error.
func (r *Runner) guard(ctx context.Context, job Job, asked bool) (result Result, report Report, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = ResultPanic, fmt.Errorf("task: %s panicked: %v\n%s", job.Name, p, debug.Stack())
		}
	}()
	err = r.cfg.MayRun()
	if wait := job.After - time.Since(r.started); err == nil && wait > 0 {
		err = fmt.Errorf("%w: the job runs in %v", ErrTooEarly, wait.Round(time.Second))
	}
	if err != nil {
		return ResultRefused, nil, fmt.Errorf("task: %s has to wait: %w", job.Name, err)
	}
	ctx, work := span.Start(ctx, "job "+job.Name)
	report, err = job.Run(ctx, asked)
	work.End(err)
	switch {
	case errors.Is(context.Cause(ctx), ErrCancelled) && (err == nil || errors.Is(err, ctx.Err()) || errors.Is(err, ErrCancelled)):
		// Some jobs end early without an error. An engine may name the cause of the end.
		return ResultCancelled, report, ErrCancelled
	case err == nil && ctx.Err() != nil: // the server stops, and the run may have ended early
		return ResultStopped, report, ctx.Err()
	case err == nil:
		return ResultOK, report, nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return ResultStopped, report, err
	}
	return ResultError, report, err
}
