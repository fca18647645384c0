package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Task is a background job and how it is doing on the server asked, since that was started.
type Task struct {
	Name    string `json:"name" doc:"The job's name." example:"reap"`
	Every   string `json:"every,omitempty" doc:"The pause between two runs; absent: it runs only when asked for." example:"1m0s"`
	Running bool   `json:"running" doc:"A run is under way."`
	// Runs counts the runs that ended.
	Runs    int        `json:"runs" doc:"Runs that ended."`
	Started *time.Time `json:"started,omitempty" doc:"When the last run began."`
	Next    *time.Time `json:"next,omitempty" doc:"When the next run is due."`
	// The others are of the last run that ended.
	Ended  *time.Time  `json:"ended,omitempty" doc:"When a run last ended."`
	Result string      `json:"result,omitempty" doc:"How it ended: ok, error, panic, refused (the clock is wrong, the servers differ in a setting, or the server has started just now) or stopped."`
	Error  string      `json:"error,omitempty" doc:"What went wrong. The cause is in the server's log."`
	Report []TaskCount `json:"report" nullable:"false" doc:"What it did; empty if there was nothing to do."`
}

// TaskCount is one line of what a run did.
type TaskCount struct {
	Name  string `json:"name" doc:"What was counted. elsewhere: parts of the work that fall to other servers." example:"contents"`
	Count int64  `json:"count"`
}

// TaskList is all background jobs.
type TaskList struct {
	Tasks []Task `json:"tasks" nullable:"false"`
}

// TaskRun is a run that was asked for.
type TaskRun struct {
	Task
	// Run is Task.Runs when it will have ended.
	Run int `json:"run" doc:"The count of runs when this one will have ended."`
	// Done is set when it has: then the Task tells about this run.
	Done bool `json:"done" doc:"Whether it has."`
}

// Tasks returns all background jobs of the server.
func (c *Client) Tasks(ctx context.Context) ([]Task, error) {
	var list TaskList
	err := c.call(ctx, http.MethodGet, "/v1/tasks", nil, &list)
	return list.Tasks, err
}

// askAgain is how often RunTask looks whether a long run has ended.
const askAgain = time.Second

// RunTask makes a background job run now and waits for its end, or does not. Status 404: there
// is no such job. A run that fails is no error: see Task.Result.
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
