package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Job is one kind of background work.
type Job struct {
	// Name is the job's name in logs and metrics.
	Name string
	// Every is the pause between the end of a run and the next one; a tenth of it is random,
	// so that servers do not run in step.
	Every time.Duration
	// Run does one run. It returns soon after ctx ends. The report is for the log, empty if
	// there was nothing to do.
	Run func(ctx context.Context) (report []slog.Attr, err error)
}

// Runner runs jobs until it is stopped.
type Runner struct {
	logger  *slog.Logger
	metrics metrics
	jobs    []Job

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

type metrics struct {
	runs    *prometheus.CounterVec   // labels: job; result "ok", "error" or "panic"
	seconds *prometheus.HistogramVec // label: job
}

// New makes a Runner. logger and reg may be nil.
func New(logger *slog.Logger, reg prometheus.Registerer, jobs ...Job) *Runner {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	r := &Runner{logger: logger, jobs: jobs, metrics: metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_task_runs_total", Help: "Runs of background jobs.",
		}, []string{"job", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "popelago_task_run_seconds", Help: "Duration of runs of background jobs.",
			Buckets: prometheus.ExponentialBuckets(0.001, 10, 7),
		}, []string{"job"}),
	}}
	if reg != nil {
		reg.MustRegister(r.metrics.runs, r.metrics.seconds)
	}
	return r
}

// Start begins to run the jobs, each for the first time at once. It must be called only once.
func (r *Runner) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	for _, job := range r.jobs {
		r.wg.Go(func() { r.repeat(ctx, job) })
	}
}

// Stop ends the jobs and waits for them.
func (r *Runner) Stop() {
	if r.cancel != nil {
		r.cancel()
	}
	r.wg.Wait()
}

func (r *Runner) repeat(ctx context.Context, job Job) {
	for {
		r.RunOnce(ctx, job)
		pause := job.Every - time.Duration(rand.Int64N(int64(job.Every)/10+1))
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// RunOnce runs a job now and logs and counts the result, which it also returns.
func (r *Runner) RunOnce(ctx context.Context, job Job) error {
	start := time.Now()
	report, result, err := r.guard(ctx, job)
	r.metrics.runs.WithLabelValues(job.Name, result).Inc()
	r.metrics.seconds.WithLabelValues(job.Name).Observe(time.Since(start).Seconds())
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
	case err != nil:
		r.logger.LogAttrs(ctx, slog.LevelError, "background job failed",
			append(report, slog.String("job", job.Name), slog.Any("cause", err))...)
	case len(report) > 0:
		r.logger.LogAttrs(ctx, slog.LevelInfo, "background job done",
			append(report, slog.String("job", job.Name), slog.Duration("took", time.Since(start)))...)
	}
	return err
}

// guard turns a panic of the job into an error.
func (r *Runner) guard(ctx context.Context, job Job) (report []slog.Attr, result string, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = "panic", fmt.Errorf("task: %s panicked: %v\n%s", job.Name, p, debug.Stack())
		}
	}()
	report, err = job.Run(ctx)
	if err != nil {
		return report, "error", err
	}
	return report, "ok", nil
}
