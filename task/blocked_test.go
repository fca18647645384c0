package task_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/store"
	"popelago/task"
)

// awayStore is the background work of a store with unreachable replicas.
type awayStore struct {
	store.Background
	blocked int
}

func (s *awayStore) Sweep(context.Context, time.Time) (store.SweepReport, error) {
	return store.SweepReport{Contents: 1, Octets: 2, Blocked: s.blocked}, nil
}

func (s *awayStore) SweepOrphans(context.Context, time.Time, time.Time) (store.OrphanReport, error) {
	return store.OrphanReport{SweepReport: store.SweepReport{Blocked: s.blocked}}, nil
}

func (s *awayStore) RaiseFloors(context.Context) (store.FloorReport, error) {
	return store.FloorReport{Blocked: s.blocked}, nil
}

// Work that waits for replicas is in the report of each job, has a gauge, and is logged at its
// beginning and its end, but not as work done.
func TestBlockedWorkIsShown(t *testing.T) {
	st := &awayStore{blocked: 7}
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	r := task.New(task.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, reg,
		task.Reap(task.SweepConfig{}, st), task.Orphans(task.SweepConfig{}, st), task.Floor(task.SweepConfig{}, nil, st))
	r.Start()
	for _, blocked := range []int{7, 7, 0, 0} {
		st.blocked = blocked
		for _, job := range []string{"reap", "orphans", "floor"} {
			status, err := r.Run(t.Context(), job)
			if err != nil || status.Result != task.ResultOK {
				t.Fatalf("%s: %+v, %v", job, status, err)
			}
			shown := 0
			for _, c := range status.Report {
				if c.Name == "blocked" {
					shown = int(c.N)
				}
			}
			if shown != blocked {
				t.Errorf("%s shows %d as blocked, want %d: %v", job, shown, blocked, status.Report)
			}
		}
		if n := testutil.CollectAndCount(reg, "popelago_task_blocked"); n != 3 {
			t.Errorf("%d gauges, want 3", n)
		}
		want := strings.NewReplacer("N", map[int]string{0: "0", 7: "7"}[blocked]).Replace(`# HELP popelago_task_blocked Parts of the work that the last run of a background job left undone, because replicas are away.
# TYPE popelago_task_blocked gauge
popelago_task_blocked{job="floor"} N
popelago_task_blocked{job="orphans"} N
popelago_task_blocked{job="reap"} N
`)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "popelago_task_blocked"); err != nil {
			t.Error(err)
		}
	}
	r.Close()
	for text, want := range map[string]int{
		"needs unreachable replicas": 3, "is not blocked any more": 3, `what="blocked"`: 0, "background job done": 4,
	} {
		if n := strings.Count(log.String(), text); n != want {
			t.Errorf("%q was logged %d times, want %d:\n%s", text, n, want, &log)
		}
	}
}

// The last complete run of a job is the last that left no work undone, and the start of the process before: so the
// age of a backlog is known from the start on.
func TestLastCompleteRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		outcome := func() (task.Report, error) { return nil, errors.New("no luck") }
		r := task.New(task.Config{}, reg,
			job("odd", 1000*time.Hour, func(context.Context, bool) (task.Report, error) { return outcome() }),
			job("asked", 0, func(context.Context, bool) (task.Report, error) { return nil, nil }))
		begun := float64(time.Now().Unix())
		r.Start()
		synctest.Wait() // for the first run
		for _, step := range []struct {
			run  func() (task.Report, error)
			want float64 // in hours after the start
		}{
			{outcome, 0},
			{func() (task.Report, error) { return task.Report{{Name: "blocked", N: 1}}, nil }, 0},
			{func() (task.Report, error) { return task.Report{{Name: "contents", N: 1}}, nil }, 2},
			{func() (task.Report, error) { return nil, errors.New("no luck") }, 2},
		} {
			outcome = step.run
			if _, err := r.Run(t.Context(), "odd"); err != nil {
				t.Fatal(err)
			}
			got := gather(t, reg)
			if hours := (got["last_complete_timestamp_seconds odd"] - begun) / 3600; hours != step.want {
				t.Errorf("complete after %v hours, want %v", hours, step.want)
			}
			if _, known := got["last_complete_timestamp_seconds asked"]; known {
				t.Error("a job on request has a backlog")
			}
			time.Sleep(time.Hour)
		}
		r.Close()
	})
}
