package task_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"popelago/store"
	"popelago/task"
)

// working is the background work of an engine in its middle, until its context ends.
type working struct{ store.Upkeep }

func (working) RaiseFloors(ctx context.Context) (r store.FloorReport, err error) {
	r.Mailboxes, r.Raised, r.Remaining = 7, 5, 3
	store.Show(ctx, r)
	<-ctx.Done()
	r.Remaining = 0
	return r, nil
}

func (working) Sweep(ctx context.Context, _ time.Time) (r store.SweepReport, err error) {
	r.Contents, r.Octets, r.Remaining = 2, 40, 9
	store.Show(ctx, r)
	<-ctx.Done()
	r.Remaining = 0
	return r, nil
}

func (working) SweepOrphans(ctx context.Context, _, _ time.Time) (r store.OrphanReport, err error) {
	r.Contents, r.Octets, r.Looked, r.Percent = 1, 10, 1000, 42
	store.Show(ctx, r)
	<-ctx.Done()
	r.Percent = 0
	return r, nil
}

// The jobs of the engine show their counts while they run. The report of a run that ended has no count of work
// that remains.
func TestEngineJobsShowProgress(t *testing.T) {
	dir := newDirectory(t, openStore(t))
	synctest.Test(t, func(t *testing.T) {
		cfg := task.SweepConfig{} // only on request
		r := task.New(task.Config{}, nil, task.Floor(cfg, dir, working{}), task.Reap(cfg, working{}), task.Orphans(cfg, working{}))
		r.Start()
		defer r.Close()
		for _, test := range []struct {
			name           string
			progress, done task.Report
		}{
			{"floor", task.Report{{"mailboxes", 7}, {"raised", 5}, {"remaining", 3}}, task.Report{{"mailboxes", 7}, {"raised", 5}}},
			{"reap", task.Report{{"contents", 2}, {"octets", 40}, {"remaining", 9}}, task.Report{{"contents", 2}, {"octets", 40}}},
			{"orphans", task.Report{{"percent", 42}, {"looked", 1000}, {"contents", 1}, {"octets", 10}}, task.Report{{"looked", 1000}, {"contents", 1}, {"octets", 10}}},
		} {
			if _, err := r.Ask(test.name); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s, err := r.Job(test.name); err != nil || !s.Running || !slices.Equal(s.Progress, test.progress) {
				t.Errorf("%s in the middle: %+v, %v; want %v", test.name, s, err, test.progress)
			}
			if _, err := r.Cancel(test.name); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s, err := r.Job(test.name); err != nil || s.Progress != nil || !slices.Equal(s.Report, test.done) {
				t.Errorf("%s at the end: %+v, %v; want %v", test.name, s, err, test.done)
			}
		}
	})
}
