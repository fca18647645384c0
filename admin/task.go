package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/task"
)

// runWait bounds the wait for the end of a run. Clients ask again.
const runWait = 20 * time.Second

// TaskServer selects the server of a task. TaskServer is exported because huma fills only exported
// embedded fields.
type TaskServer struct {
	Server string `query:"server" maxLength:"500" doc:"The server: its name or its host name. Default: the server that answers."`
}

func (a *api) addTasks() {
	type query struct {
		TaskServer
		Datacenter string `query:"datacenter" maxLength:"100" doc:"The servers of this datacenter."`
		Everywhere bool   `query:"everywhere" doc:"All servers, unless server or datacenter select."`
		History    bool   `query:"history" doc:"Also the last runs of each job."`
	}
	type list struct{ Body adminclient.TaskList }
	register(a, huma.Operation{
		OperationID: "list-tasks", Method: http.MethodGet, Path: "/v1/tasks",
		Summary:     "List the background jobs with their last runs",
		Description: "Of this server, or of all servers: then the answer says which server did not answer.",
	}, func(ctx context.Context, in *query) (*list, error) {
		local := !in.Everywhere && in.Server == "" && in.Datacenter == ""
		out, err := a.listTasks(ctx, selection{in.Server, in.Datacenter, local}, in.History)
		if err != nil {
			return nil, err
		}
		return &list{out}, nil
	})

	type run struct {
		TaskServer
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
		body, err := onServer(ctx, a, in.Server, func() (adminclient.TaskRun, error) { return a.runTask(ctx, in.Name, in.Wait) },
			func(ctx context.Context, c *adminclient.Client) (adminclient.TaskRun, error) {
				return c.RunTask(ctx, in.Name, false) // the client asks again
			}, func(r adminclient.TaskRun) string { return r.Server })
		if err != nil {
			return nil, err
		}
		out := &started{Status: http.StatusOK, Body: body}
		if !body.Done {
			out.Status = http.StatusAccepted
		}
		return out, nil
	})

	type cancel struct {
		TaskServer
		Name string `path:"name" maxLength:"100" doc:"The job's name."`
	}
	type cancelled struct{ Body adminclient.TaskCancel }
	register(a, huma.Operation{
		OperationID: "cancel-task", Method: http.MethodPost, Path: "/v1/tasks/{name}/cancel",
		Summary:       "End the run in progress of a background job between two steps",
		Description:   "The next run goes on with the rest. Cancelling twice is no error.",
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *cancel) (*cancelled, error) {
		body, err := onServer(ctx, a, in.Server, func() (adminclient.TaskCancel, error) { return a.cancelTask(in.Name) },
			func(ctx context.Context, c *adminclient.Client) (adminclient.TaskCancel, error) {
				return c.CancelTask(ctx, "", in.Name)
			}, func(c adminclient.TaskCancel) string { return c.Server })
		if err != nil {
			return nil, err
		}
		return &cancelled{body}, nil
	})
}

// errPeer: the server that was named did not do the work.
var errPeer = errors.New("the server did not answer")

// onServer does something on the server with a name, or on this server for an empty name. Errors:
// errNoServer, errPeer, refusals of the peer.
func onServer[T any](ctx context.Context, a *api, name string, own func() (T, error), ask func(context.Context, *adminclient.Client) (T, error), from func(T) string) (out T, err error) {
	if name == "" {
		return own()
	}
	servers, _, err := a.servers(ctx, selection{server: name})
	if err != nil {
		return out, err
	}
	if len(servers) > 1 {
		return out, fmt.Errorf("%w: %q is the host name of several: use a name", errNoServer, name)
	}
	if servers[0].Own {
		return own()
	}
	out, err = askOne(ctx, a, servers[0], cmp.Or(secretOf(ctx), a.peers.Secret), ask, from)
	var refusal *adminclient.Error
	if errors.As(err, &refusal) && refusal.Status == http.StatusNotFound && refusal.Detail != "" {
		return out, err // no such job
	}
	if err != nil {
		err = fmt.Errorf("%w: %s: %s", errPeer, servers[0].Name, a.peers.describe(err))
	}
	return out, err
}

// listTasks returns the tasks of the selected servers.
func (a *api) listTasks(ctx context.Context, sel selection, history bool) (out adminclient.TaskList, err error) {
	servers, warning, err := a.servers(ctx, sel)
	if err != nil {
		return out, err
	}
	own := func() adminclient.TaskList { return adminclient.TaskList{Tasks: a.ownTasks(history)} }
	ask := func(ctx context.Context, c *adminclient.Client) (adminclient.TaskList, error) {
		return c.TasksOf(ctx, adminclient.TaskQuery{History: history})
	}
	parts := gather(ctx, a, servers, own, ask, func(l adminclient.TaskList) string { return answering(l.Parts) })
	out.Tasks, out.Parts = []adminclient.Task{}, partsOf(parts, warning)
	for _, p := range parts {
		for _, t := range p.answer.Tasks {
			t.Server, t.Datacenter = p.server.Name, p.server.Datacenter
			out.Tasks = append(out.Tasks, t)
		}
	}
	return out, nil
}

// ownTasks returns the tasks of this server.
func (a *api) ownTasks(history bool) (all []adminclient.Task) {
	for _, s := range a.cfg.Tasks.Jobs() {
		t := taskOf(s)
		if history {
			past, _ := a.cfg.Tasks.History(s.Name) // the job is in the list
			for _, p := range past {
				t.History = append(t.History, pastOf(p))
			}
		}
		all = append(all, t)
	}
	return all
}

// runTask runs a job of this server, and waits for its end until ctx ends.
func (a *api) runTask(ctx context.Context, name string, wait bool) (out adminclient.TaskRun, err error) {
	n, err := a.cfg.Tasks.Ask(name)
	if err != nil {
		return out, err
	}
	a.logger.Info("background job asked for", "job", name)
	var status task.Status
	if wait {
		if status, err = a.cfg.Tasks.Wait(ctx, name, n); errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	} else {
		status, err = a.cfg.Tasks.Job(name)
	}
	if err != nil {
		return out, err
	}
	out = adminclient.TaskRun{Task: taskOf(status), Run: n, Done: status.Runs >= n}
	own := a.own()
	out.Server, out.Datacenter = own.Name, own.Datacenter
	return out, nil
}

// cancelTask ends the run in progress of a job of this server.
func (a *api) cancelTask(name string) (out adminclient.TaskCancel, err error) {
	out.Cancelled, err = a.cfg.Tasks.Cancel(name)
	own := a.own()
	out.Server, out.Datacenter = own.Name, own.Datacenter
	return out, err
}

func taskOf(s task.Status) adminclient.Task {
	t := adminclient.Task{
		Name: s.Name, Running: s.Running, Runs: s.Runs, Result: string(s.Result), Report: countsOf(s.Report),
		Started: moment(s.Started), Ended: moment(s.Ended), Next: moment(s.Next), Error: DescribeFailure(s.Err),
	}
	if s.Running {
		t.Progress = countsOf(s.Progress)
	}
	if s.Every > 0 {
		t.Every = s.Every.String()
	}
	return t
}

func pastOf(p task.Past) adminclient.PastRun {
	return adminclient.PastRun{
		Started: p.Started.UTC().Round(0), Ended: p.Ended.UTC().Round(0), Asked: p.Asked, Result: string(p.Result),
		Error: cmp.Or(DescribeFailure(p.Err), p.Failure), Report: countsOf(p.Report),
	}
}

// DescribeFailure describes the failure of a run of a background job for the API; empty without an error.
func DescribeFailure(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, task.ErrCancelled):
		return err.Error()
	}
	_, text := classify(err)
	return text
}

func countsOf(r task.Report) []adminclient.TaskCount {
	counts := make([]adminclient.TaskCount, len(r))
	for i, c := range r {
		counts[i] = adminclient.TaskCount{Name: c.Name, Count: c.N}
	}
	return counts
}

// moment is nil for the zero time.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Round(0)
	return &t
}
