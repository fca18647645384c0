package task_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"popelago/store"
	"popelago/task"
)

// A job with a delay after the start does not run before, neither by itself nor on request, whatever
// the clock says meanwhile; after the delay the job runs by itself.
func TestJobWaitsAfterTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := make(chan time.Time, 10)
		early := job("early", time.Hour, func(context.Context, bool) (task.Report, error) {
			ran <- time.Now()
			return nil, nil
		})
		early.After = 15 * time.Minute
		r := task.New(task.Config{}, nil, early)
		start := time.Now()
		r.Start()
		defer r.Close()
		for range 3 {
			time.Sleep(4 * time.Minute)
			status, err := r.Run(t.Context(), "early")
			if err != nil || status.Result != task.ResultRefused || !errors.Is(status.Err, task.ErrTooEarly) {
				t.Errorf("%+v, %v; want a refusal", status, err)
			}
		}
		if got := (<-ran).Sub(start); got != 15*time.Minute {
			t.Errorf("the job ran %v after the start", got)
		}
		status, err := r.Run(t.Context(), "early")
		if err != nil || status.Result != task.ResultOK {
			t.Errorf("%+v, %v", status, err)
		}
	})
}

// The job expire has such a delay.
func TestExpireWaitsAfterTheStart(t *testing.T) {
	if j := task.Expire(task.ExpireConfig{After: time.Minute}, store.Store{}); j.After != time.Minute {
		t.Errorf("the job waits %v", j.After)
	}
}
