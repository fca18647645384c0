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

// Tasks of all servers are listed, and run and cancelled on the server that is named.
func TestTasksOfAllServers(t *testing.T) {
	runner := func(name string) *task.Runner {
		r := task.New(task.Config{}, nil, task.Job{Name: "long", Run: func(ctx context.Context, _ bool) (task.Report, error) {
			<-ctx.Done()
			return task.Report{{Name: name, N: 1}}, ctx.Err()
		}})
		r.Start()
		t.Cleanup(r.Close)
		return r
	}
	b := (&fixture{token: secretOfAll, process: serverNamed("b"), peers: loopback, tasks: runner("b")}).start(t)
	f := (&fixture{process: serverNamed("a"), peers: loopback, tasks: runner("a")}).
		listing(nil, store.Server{Name: "a", Datacenter: "dc1", Own: true}, at("b", b.serve(t)), at("c", "http://127.0.0.1:1")).start(t)
	c := f.unix(t)
	ctx := t.Context()
	run, err := c.RunTaskOn(ctx, "b.example.test", "long", false)
	if err != nil || run.Done || run.Server != "b" || run.Run != 1 {
		t.Fatalf("%+v, %v", run, err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		list, err := c.TasksOf(ctx, adminclient.TaskQuery{Everywhere: true})
		if err != nil || len(list.Tasks) != 2 || list.Complete || list.Tasks[0].Server != "a" || list.Tasks[0].Running || list.Tasks[1].Server != "b" || !list.Tasks[1].Running {
			return fmt.Errorf("%+v, %w", list, err)
		}
		return nil
	})
	for i, want := range []bool{true, false} {
		out, err := c.CancelTask(ctx, "b", "long")
		if err != nil || out.Server != "b" || out.Cancelled != want && i == 0 {
			t.Errorf("%+v, %v; want %v", out, err, want)
		}
	}
	run, err = c.RunTaskOn(ctx, "b", "long", false) // after the cancelled run
	if err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if _, err := c.CancelTask(ctx, "b", "long"); err != nil {
			return err
		}
		list, err := c.TasksOf(ctx, adminclient.TaskQuery{Server: "b", History: true})
		if err != nil || !list.Complete || len(list.Tasks) != 1 || list.Tasks[0].Runs < run.Run {
			return fmt.Errorf("%+v, %w", list, err)
		}
		past := list.Tasks[0].History
		if len(past) != run.Run || past[0].Result != "cancelled" || past[0].Error != "the run was cancelled" || !past[0].Asked || past[0].Report[0].Name != "b" {
			return fmt.Errorf("history %+v", past)
		}
		return nil
	})
	if list, err := c.Tasks(ctx); err != nil || len(list) != 1 || list[0].Server != "a" || list[0].Runs != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = c.RunTaskOn(ctx, "b", "short", true)
	wantStatus(t, "an unknown job", err, http.StatusNotFound, `"short": no such background job`)
	_, err = c.RunTaskOn(ctx, "c", "long", true)
	wantStatus(t, "a server that is down", err, http.StatusServiceUnavailable, "it cannot be reached")
	_, err = c.CancelTask(ctx, "d", "long")
	wantStatus(t, "an unknown server", err, http.StatusNotFound, "no such server")
}
