package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/task"
)

// runWait bounds the wait for the end of a run. Clients ask again.
const runWait = 20 * time.Second

func (a *api) addTasks() {
	type list struct{ Body adminclient.TaskList }
	register(a, huma.Operation{
		OperationID: "list-tasks", Method: http.MethodGet, Path: "/v1/tasks",
		Summary: "List the background jobs of this server with their last runs",
	}, func(context.Context, *struct{}) (*list, error) {
		out := &list{adminclient.TaskList{Tasks: []adminclient.Task{}}}
		for _, s := range a.cfg.Tasks.Jobs() {
			out.Body.Tasks = append(out.Body.Tasks, taskOf(s))
		}
		return out, nil
	})

	type run struct {
		Name string `path:"name" maxLength:"100" doc:"The job's name."`
		Wait bool   `query:"wait" default:"true" doc:"Wait for the end of the run, up to 20 seconds."`
	}
	type started struct {
		Status int
		Body   adminclient.TaskRun
	}
	register(a, huma.Operation{
		OperationID: "run-task", Method: http.MethodPost, Path: "/v1/tasks/{name}/run",
		Summary:     "Run a background job now, or once more if it is running",
		Description: "200: the run has ended, whatever its result. 202: the run has not ended yet.",
	}, func(ctx context.Context, in *run) (*started, error) {
		ctx, cancel := context.WithTimeout(ctx, runWait)
		defer cancel()
		n, status, err := a.runTask(ctx, in.Name, in.Wait)
		if err != nil {
			return nil, err
		}
		out := &started{Status: http.StatusOK, Body: adminclient.TaskRun{Task: taskOf(status), Run: n, Done: status.Runs >= n}}
		if !out.Body.Done {
			out.Status = http.StatusAccepted
		}
		return out, nil
	})
}

// runTask runs a job, and waits for its end until ctx ends. n is the value of task.Status.Runs
// after the run.
func (a *api) runTask(ctx context.Context, name string, wait bool) (n int, status task.Status, err error) {
	n, err = a.cfg.Tasks.Ask(name)
	if err != nil {
		return 0, task.Status{}, err
	}
	a.logger.Info("background job asked for", "job", name)
	if !wait {
		status, err = a.cfg.Tasks.Job(name)
		return n, status, err
	}
	status, err = a.cfg.Tasks.Wait(ctx, name, n)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return n, status, err
}

func taskOf(s task.Status) adminclient.Task {
	t := adminclient.Task{
		Name: s.Name, Running: s.Running, Runs: s.Runs, Result: string(s.Result), Report: []adminclient.TaskCount{},
		Started: moment(s.Started), Ended: moment(s.Ended), Next: moment(s.Next),
	}
	if s.Every > 0 {
		t.Every = s.Every.String()
	}
	if s.Err != nil {
		_, t.Error = classify(s.Err)
	}
	for _, c := range s.Report {
		t.Report = append(t.Report, adminclient.TaskCount{Name: c.Name, Count: c.N})
	}
	return t
}

// moment is nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Round(0)
	return &t
}
