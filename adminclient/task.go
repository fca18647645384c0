package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Task is a background job, and its runs on a server since the start.
type Task struct {
	Name    string `json:"name" doc:"The job's name." example:"reap"`
	Every   string `json:"every,omitempty" doc:"The pause between two runs; absent: the job runs only on request." example:"1m0s"`
	Running bool   `json:"running" doc:"A run is in progress."`
	// Runs counts the ended runs.
	Runs    int        `json:"runs" doc:"Runs that have ended."`
	Started *time.Time `json:"started,omitempty" doc:"When the last run began."`
	Next    *time.Time `json:"next,omitempty" doc:"When the next run is due."`
	// The next fields describe the last run that ended.
	Ended  *time.Time  `json:"ended,omitempty" doc:"When a run last ended."`
	Result string      `json:"result,omitempty" doc:"Result of the last run: ok, error, panic, refused (the clock is wrong, the servers differ in a setting, or the server has started just now) or stopped."`
	Error  string      `json:"error,omitempty" doc:"Description of the failure. The cause is in the server's log."`
	Report []TaskCount `json:"report" nullable:"false" doc:"Counts of the run's work; empty if there was none."`
}

// TaskCount is one count in the report of a run.
type TaskCount struct {
	Name  string `json:"name" doc:"Name of the count. elsewhere: parts of the work that other servers do." example:"contents"`
	Count int64  `json:"count"`
}

// TaskList is all background jobs.
type TaskList struct {
	Tasks []Task `json:"tasks" nullable:"false"`
}

// TaskRun is a requested run.
type TaskRun struct {
	Task
	// Run is the value of Task.Runs after the run.
	Run int `json:"run" doc:"The value of runs when this run has ended."`
	// Done is set after the run: then the Task describes this run.
	Done bool `json:"done" doc:"Whether the run has ended."`
}

// Tasks returns all background jobs of the server.
func (c *Client) Tasks(ctx context.Context) ([]Task, error) {
	var list TaskList
	err := c.call(ctx, http.MethodGet, "/v1/tasks", nil, &list)
	return list.Tasks, err
}

// askAgain is the pause between two questions of RunTask about a long run.
const askAgain = time.Second

// RunTask runs a background job now, and waits for its end if wait is set. Status 404: no such job.
// A failed run is no error: see Task.Result.
func (c *Client) RunTask(ctx context.Context, name string, wait bool) (TaskRun, error) {
	path := "/v1/tasks/" + url.PathEscape(name) + "/run"
	if !wait {
		path += "?wait=false"
	}
	var run TaskRun
	if err := c.call(ctx, http.MethodPost, path, nil, &run); err != nil {
		return run, err
	}
	for wait && !run.Done {
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return run, ctx.Err()
		}
		list, err := c.Tasks(ctx)
		if err != nil {
			return run, err
		}
		for _, t := range list {
			if t.Name == name {
				run.Task, run.Done = t, t.Runs >= run.Run
			}
		}
	}
	return run, nil
}
