package task_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
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
