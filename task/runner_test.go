package task_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/store"
	"popelago/task"
)

// job returns a job of a function.
func job(name string, every time.Duration, run func(ctx context.Context, asked bool) (task.Report, error)) task.Job {
	return task.Job{Name: name, Every: every, Run: run}
}

// gather returns the values of all metrics by name and label values, such as "runs_total odd ok".
func gather(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := strings.TrimPrefix(f.GetName(), "popelago_task_")
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			values[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

func TestRunnerRepeatsAndSurvivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		reg := prometheus.NewRegistry()
		runs := 0
		r := task.New(task.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, reg,
			job("odd", time.Minute, func(context.Context, bool) (task.Report, error) {
				runs++
				switch runs {
				case 1:
					return task.Report{{"things", 2}}, errors.New("no luck")
				case 2:
					panic("worse")
				case 3:
					return task.Report{{"things", 7}}, nil
				}
				return task.Report{{"elsewhere", 5}}, nil
			}))
		r.Start()
		time.Sleep(3*time.Minute + time.Second)
		r.Close()
		if runs < 4 || runs > 5 {
			t.Errorf("%d runs in three minutes, want 4 or 5", runs)
		}
		for _, want := range []string{"things=2 job=odd cause=\"no luck\"", "panicked: worse", "things=7"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, log.String())
			}
		}
		if strings.Contains(log.String(), "elsewhere") {
			t.Errorf("a run without work is in the log:\n%s", log.String())
		}
		got := gather(t, reg)
		for name, want := range map[string]float64{
			"runs_total odd error": 1, "runs_total odd panic": 1, "runs_total odd ok": float64(runs - 2),
			"run_seconds odd": float64(runs), "running odd": 0, "done_total odd things": 9,
		} {
			if got[name] != want {
				t.Errorf("metric %s: %v, want %v", name, got[name], want)
			}
		}
		if _, ok := got["done_total odd elsewhere"]; ok || got["last_success_timestamp_seconds odd"] == 0 {
			t.Errorf("metrics: %v", got)
		}
	})
}

func TestStopInterruptsAJob(t *testing.T) {
	var log strings.Builder
	started := make(chan struct{})
	r := task.New(task.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil,
		job("long", time.Hour, func(ctx context.Context, _ bool) (task.Report, error) {
			close(started)
			<-ctx.Done()
			return nil, fmt.Errorf("long: %w", ctx.Err())
		}))
	r.Start()
	<-started
	if s := r.Jobs()[0]; !s.Running || s.Started.IsZero() || s.Runs != 0 || !s.Next.IsZero() {
		t.Errorf("during the run: %+v", s)
	}
	r.Close()
	if log.Len() > 0 {
		t.Errorf("a stopped job is not a failure:\n%s", log.String())
	}
	if s := r.Jobs()[0]; s.Running || s.Result != task.ResultStopped || s.Runs != 1 {
		t.Errorf("after Stop: %+v", s)
	}
	if _, err := r.Ask("long"); !errors.Is(err, task.ErrStopped) {
		t.Errorf("Ask after Stop: %v", err)
	}
}

// A run that the stop of the server ends early, without an error, is not complete.
func TestStopEndsARunEarly(t *testing.T) {
	reg := prometheus.NewRegistry()
	started := make(chan struct{})
	r := task.New(task.Config{}, reg, job("long", time.Hour, func(ctx context.Context, _ bool) (task.Report, error) {
		close(started)
		<-ctx.Done()
		return task.Report{{Name: "contents", N: 1}}, nil
	}))
	r.Start()
	<-started
	r.Close()
	past, err := r.History("long")
	if err != nil || len(past) != 1 || past[0].Result != task.ResultStopped || len(past[0].Report) != 1 {
		t.Errorf("the history: %+v, %v", past, err)
	}
	if n, err := testutil.GatherAndCount(reg, "popelago_task_last_success_timestamp_seconds"); err != nil || n != 0 {
		t.Errorf("a success: %d, %v", n, err)
	}
}

// A requested job runs now, due or not, and the caller gets its result.
func TestRunNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type start struct {
			at    time.Duration
			asked bool
		}
		var starts []start
		begun := time.Now()
		r := task.New(task.Config{}, nil,
			job("slow", 0, func(_ context.Context, asked bool) (task.Report, error) {
				starts = append(starts, start{time.Since(begun), asked})
				time.Sleep(10 * time.Second)
				return task.Report{{"things", int64(len(starts))}}, errors.New("no luck")
			}),
			job("due", time.Minute, func(context.Context, bool) (task.Report, error) { return nil, nil }))
		r.Start()
		defer r.Close()
		time.Sleep(time.Hour)
		if len(starts) > 0 {
			t.Fatalf("a job without a schedule ran at %v", starts)
		}
		status, err := r.Run(t.Context(), "slow")
		if err != nil || status.Runs != 1 || status.Running || status.Result != task.ResultError || status.Err == nil ||
			!slices.Equal(status.Report, task.Report{{"things", 1}}) || status.Ended.Sub(status.Started) != 10*time.Second {
			t.Errorf("%+v, %v", status, err)
		}
		// During a run: the requested run is the next one, and several callers may wait for it.
		if n, err := r.Ask("slow"); n != 2 || err != nil {
			t.Errorf("Ask: %d, %v", n, err)
		}
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if status, err := r.Run(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) || !status.Running {
			t.Errorf("Run with too little time: %+v, %v", status, err)
		}
		if status, err := r.Run(t.Context(), "slow"); err != nil || status.Runs != 3 {
			t.Errorf("Run during a run: %+v, %v", status, err)
		}
		time.Sleep(time.Hour)
		want := []start{{time.Hour, true}, {time.Hour + 10*time.Second, true}, {time.Hour + 20*time.Second, true}}
		if !slices.Equal(starts, want) {
			t.Errorf("runs at %v, want %v", starts, want)
		}
		if _, err := r.Run(t.Context(), "slo"); !errors.Is(err, task.ErrNoSuchJob) {
			t.Errorf("an unknown job: %v", err)
		}
		jobs := r.Jobs()
		if len(jobs) != 2 || jobs[0].Name != "slow" || !jobs[0].Next.IsZero() || jobs[1].Next.Before(time.Now()) || jobs[1].Result != task.ResultOK {
			t.Errorf("%+v", jobs)
		}
		if _, err := r.Run(t.Context(), "due"); err != nil {
			t.Error(err)
		}
	})
}

// While the clock cannot be trusted no job runs, and the tasks leave the log to the store.
func TestClockStopsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var right atomic.Bool
		var runs atomic.Int64
		clock := func() error {
			if right.Load() {
				return nil
			}
			return fmt.Errorf("%w: 100 days ahead", store.ErrClock)
		}
		r := task.New(task.Config{
			MayRun: clock, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}, nil, job("any", time.Minute, func(context.Context, bool) (task.Report, error) {
			runs.Add(1)
			return nil, nil
		}))
		r.Start()
		defer r.Close()
		time.Sleep(10 * time.Minute)
		status, err := r.Run(t.Context(), "any")
		synctest.Wait()
		if err != nil || runs.Load() != 0 || status.Result != task.ResultRefused || !errors.Is(status.Err, store.ErrClock) {
			t.Errorf("%d runs; %+v, %v", runs.Load(), status, err)
		}
		if log.Len() > 0 {
			t.Errorf("the store logs the fault of the clock, and the tasks log nothing; but:\n%s", log.String())
		}
		right.Store(true)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if runs.Load() == 0 || r.Jobs()[0].Result != task.ResultOK {
			t.Errorf("with a good clock: %d runs, %+v", runs.Load(), r.Jobs()[0])
		}
	})
}

// A stopping server answers the callers that wait for a run.
func TestStopWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := task.New(task.Config{}, nil, job("long", 0, func(ctx context.Context, _ bool) (task.Report, error) {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil, ctx.Err()
		}))
		r.Start()
		result := make(chan error)
		for range 2 { // the first waits for the run in flight, the second for the next run, which never comes
			go func() {
				_, err := r.Run(context.Background(), "long")
				result <- err
			}()
			synctest.Wait()
		}
		r.Close()
		for range 2 {
			if err := <-result; !errors.Is(err, task.ErrStopped) {
				t.Errorf("Run: %v", err)
			}
		}
	})
}

// A cancelled run ends between two steps, and the history says so. Runs on schedule without work are
// left out.
func TestCancel(t *testing.T) {
	steps, result := make(chan int), make(chan error, 1)
	r := task.New(task.Config{History: 2}, nil, task.Job{Name: "long", Run: func(ctx context.Context, _ bool) (task.Report, error) {
		for n := int64(0); ; n++ {
			select {
			case <-ctx.Done():
				return task.Report{{Name: "messages", N: n}}, <-result
			case steps <- 1:
			}
		}
	}})
	defer r.Close()
	r.Start()
	if ended, err := r.Cancel("long"); err != nil || ended {
		t.Errorf("without a run: %v, %v", ended, err)
	}
	if _, err := r.Cancel("short"); !errors.Is(err, task.ErrNoSuchJob) {
		t.Errorf("%v", err)
	}
	for i, err := range []error{nil, context.Canceled, errors.New("a fault beside")} {
		n, err2 := r.Ask("long")
		if err2 != nil {
			t.Fatal(err2)
		}
		<-steps
		<-steps
		result <- err
		for range 2 {
			if ended, err := r.Cancel("long"); err != nil || (!ended && i < 0) {
				t.Errorf("%v, %v", ended, err)
			}
		}
		s, err2 := r.Wait(t.Context(), "long", n)
		want := task.ResultCancelled
		if i == 2 {
			want = task.ResultError
		}
		if err2 != nil || s.Result != want || len(s.Report) != 1 || s.Running {
			t.Errorf("%v: %+v, %v", err, s, err2)
		}
	}
	past, err := r.History("long")
	if err != nil || len(past) != 2 || past[0].Result != task.ResultError || past[1].Result != task.ResultCancelled || !past[0].Asked ||
		past[0].Ended.Before(past[1].Ended) || !errors.Is(past[1].Err, task.ErrCancelled) {
		t.Errorf("%+v, %v", past, err)
	}
}

// The history keeps the runs that tell something.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := task.New(task.Config{}, nil, task.Job{Name: "often", Every: time.Minute, Run: func(context.Context, bool) (task.Report, error) {
			n++
			switch n {
			case 3:
				return task.Report{{Name: "messages", N: 7}}, nil
			case 5:
				return nil, errors.New("broken")
			}
			return nil, nil
		}})
		r.Start()
		time.Sleep(time.Hour)
		r.Close()
		past, err := r.History("often")
		if err != nil || n < 50 || len(past) != 2 || past[0].Result != task.ResultError || past[1].Report[0].N != 7 || past[1].Asked {
			t.Errorf("%d runs: %+v, %v", n, past, err)
		}
	})
}
