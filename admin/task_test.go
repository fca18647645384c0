package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mailtest"
	"popelago/store"
	"popelago/task"
)

func TestTasks(t *testing.T) {
	release := make(chan struct{})
	runner := task.New(task.Config{}, nil,
		task.Job{Name: "quick", Every: time.Hour, Run: func(_ context.Context, asked bool) (task.Report, error) {
			if !asked {
				return nil, nil
			}
			return task.Report{{Name: "contents", N: 3}, {Name: "octets", N: 300}}, nil
		}},
		task.Job{Name: "slow", Run: func(context.Context, bool) (task.Report, error) {
			<-release
			return task.Report{{Name: "contents", N: 1}}, fmt.Errorf("node 10.0.0.1: %w", store.ErrUnavailable)
		}})
	runner.Start()
	f := (&fixture{tasks: runner}).start(t)
	c := f.unix(t)
	ctx := t.Context()

	run, err := c.RunTask(ctx, "quick", true)
	want := []adminclient.TaskCount{{Name: "contents", Count: 3}, {Name: "octets", Count: 300}}
	if err != nil || !run.Done || run.Result != "ok" || run.Error != "" || !slices.Equal(run.Report, want) || run.Ended == nil || run.Runs < run.Run {
		t.Errorf("%+v, %v", run, err)
	}
	run, err = c.RunTask(ctx, "slow", false)
	if err != nil || run.Done || run.Run != 1 {
		t.Errorf("without waiting: %+v, %v", run, err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		list, err := c.Tasks(ctx)
		if err != nil || len(list) != 2 || list[0].Name != "quick" || list[0].Every != "1h0m0s" || list[0].Next == nil ||
			list[1].Name != "slow" || !list[1].Running || list[1].Every != "" || list[1].Ended != nil || list[1].Report == nil {
			return fmt.Errorf("%+v, %w", list, err)
		}
		return nil
	})
	close(release)
	run, err = c.RunTask(ctx, "slow", true)
	if err != nil || !run.Done || run.Run < 1 || run.Runs < run.Run || run.Result != "error" ||
		run.Error != "storage unavailable, try again later" || len(run.Report) != 1 {
		t.Errorf("after a fault: %+v, %v", run, err)
	}
	_, err = c.RunTask(ctx, "slack", true)
	wantStatus(t, "an unknown job", err, http.StatusNotFound, `"slack": no such background job`)
	runner.Close()
	_, err = c.RunTask(ctx, "quick", true)
	wantStatus(t, "after the end", err, http.StatusServiceUnavailable, "the server is stopping")
}
