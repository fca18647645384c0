package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Task is a background job, and its runs on a server since the start.
type Task struct {
	Server     string `json:"server,omitempty" doc:"Permanent name of the server."`
	Datacenter string `json:"datacenter,omitempty"`
	Name       string `json:"name" doc:"The job's name." example:"reap"`
	Every      string `json:"every,omitempty" doc:"The pause between two runs; absent: the job runs only on request." example:"1m0s"`
	Running    bool   `json:"running" doc:"A run is in progress."`
	// Progress is the report of the run in progress so far.
	Progress []TaskCount `json:"progress,omitempty" doc:"Counts of the run in progress so far. remaining: parts of the work that the run has not reached yet; percent: part of all content that the search for orphans has examined."`
	// Runs counts the ended runs.
	Runs    int        `json:"runs" doc:"Runs that have ended."`
	Started *time.Time `json:"started,omitempty" doc:"When the last run began."`
	Next    *time.Time `json:"next,omitempty" doc:"When the next run is due."`
	// The next fields describe the last run that ended.
	Ended  *time.Time  `json:"ended,omitempty" doc:"When a run last ended."`
	Result string      `json:"result,omitempty" doc:"Result of the last run: ok, error, panic, refused (the clock is wrong, the servers differ in a setting, or the server has started just now), stopped or cancelled."`
	Error  string      `json:"error,omitempty" doc:"Description of the failure. The cause is in the server's log."`
	Report []TaskCount `json:"report" nullable:"false" doc:"Counts of the run's work; empty if there was none."`
	// History is the last runs, the latest first.
	History []PastRun `json:"history,omitempty" doc:"The last runs, also before the start of the server, the latest first, if asked for. Runs on schedule that had nothing to do are left out."`
}

// PastRun is a run of a background job that ended.
type PastRun struct {
	Started time.Time   `json:"started"`
	Ended   time.Time   `json:"ended"`
	Asked   bool        `json:"asked" doc:"The run was requested."`
	Result  string      `json:"result" doc:"As the result of a task."`
	Error   string      `json:"error,omitempty" doc:"Description of the failure."`
	Report  []TaskCount `json:"report" nullable:"false"`
}

// TaskCount is one count in the report of a run.
type TaskCount struct {
	Name  string `json:"name" doc:"Name of the count. elsewhere: parts of the work that other servers do. shared: mailboxes that several accounts have, and that keep their messages until one account is removed or the rename is repeated." example:"contents"`
	Count int64  `json:"count"`
}

// TaskList is the background jobs of one server or of all.
type TaskList struct {
	Tasks []Task `json:"tasks" nullable:"false"`
	Parts
}

// TaskRun is a requested run.
type TaskRun struct {
	Task
	// Run is the value of Task.Runs after the run.
	Run int `json:"run" doc:"The value of runs when this run has ended."`
	// Done is set after the run: then the Task describes this run.
	Done bool `json:"done" doc:"Whether the run has ended."`
}

// TaskCancel reports a cancellation.
type TaskCancel struct {
	Server     string `json:"server,omitempty" doc:"Permanent name of the server."`
	Datacenter string `json:"datacenter,omitempty"`
	Cancelled  bool   `json:"cancelled" doc:"A run was in progress, and ends between two steps."`
}

// TaskQuery selects servers of tasks. Without a selection: the server that answers.
type TaskQuery struct {
	Server     string // a name or a host name
	Datacenter string
	Everywhere bool
	History    bool
}

// Tasks returns all background jobs of the server that answers.
func (c *Client) Tasks(ctx context.Context) ([]Task, error) {
	list, err := c.TasksOf(ctx, TaskQuery{})
	return list.Tasks, err
}

// TasksOf returns the background jobs of the selected servers. Status 404: no such server.
func (c *Client) TasksOf(ctx context.Context, q TaskQuery) (TaskList, error) {
	query := url.Values{}
	set(query, "server", q.Server)
	set(query, "datacenter", q.Datacenter)
	if q.Everywhere {
		query.Set("everywhere", "true")
	}
	if q.History {
		query.Set("history", "true")
	}
	var list TaskList
	err := c.call(ctx, http.MethodGet, withQuery("/v1/tasks", query), nil, &list)
	return list, err
}

// askAgain is the pause between two questions of RunTask about a long run.
const askAgain = time.Second

// RunTask runs a background job now on the server that answers, see RunTaskOn.
func (c *Client) RunTask(ctx context.Context, name string, wait bool) (TaskRun, error) {
	return c.RunTaskOn(ctx, "", name, wait)
}

// RunTaskOn runs a background job now on a server (empty: the server that answers), and waits for its end
// if wait is set. Status 404: no such job or server. A failed run is no error: see Task.Result.
func (c *Client) RunTaskOn(ctx context.Context, server, name string, wait bool) (TaskRun, error) {
	query := url.Values{}
	set(query, "server", server)
	if !wait {
		query.Set("wait", "false")
	}
	var run TaskRun
	if err := c.call(ctx, http.MethodPost, withQuery("/v1/tasks/"+url.PathEscape(name)+"/run", query), nil, &run); err != nil {
		return run, err
	}
	for wait && !run.Done {
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return run, ctx.Err()
		}
		list, err := c.TasksOf(ctx, TaskQuery{Server: server})
		if err != nil {
			return run, err
		}
		for _, t := range list.Tasks {
			if t.Name == name {
				run.Task, run.Done = t, t.Runs >= run.Run
			}
		}
	}
	return run, nil
}

// CancelTask ends the run in progress of a job of a server (empty: the server that answers). Cancelling
// twice is no error. Status 404: no such job or server.
func (c *Client) CancelTask(ctx context.Context, server, name string) (TaskCancel, error) {
	query := url.Values{}
	set(query, "server", server)
	var out TaskCancel
	err := c.call(ctx, http.MethodPost, withQuery("/v1/tasks/"+url.PathEscape(name)+"/cancel", query), nil, &out)
	return out, err
}
