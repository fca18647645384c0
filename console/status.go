package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"popelago/adminclient"
)

// status is the data of the page about the servers.
type status struct {
	adminclient.ServerList
	// Silent names the servers without an answer.
	Silent      adminclient.Parts
	Datacenters []datacenter
	Jobs        []job
	Late        []adminclient.Asked // servers without an answer about their jobs
	Own         adminclient.Service
}

// datacenter is the servers of one datacenter.
type datacenter struct {
	Name    string // empty on a single machine
	Servers []adminclient.Server
	Answer  int // servers that answer
}

// job is a job of background work on all servers.
type job struct {
	Name    string
	Running int // servers on which it runs
	Servers int
	// Bad lists the last runs that did not end well.
	Bad []adminclient.Task
	// Last is the end of the latest run.
	Last adminclient.Task
}

func (c *console) addStatus(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"{$}", c.page(c.showStatus))
	mux.HandleFunc("GET "+Root+"live", c.page(c.live))
	mux.HandleFunc("POST "+Root+"drain", c.page(c.drain))
}

func (c *console) showStatus(r *request) error {
	if !(view{Caller: &r.caller}).Whole() {
		return c.back(r, "domains", "") // the servers concern tokens for all domains
	}
	list, err := r.api.Servers(r.Context())
	if err != nil {
		return err
	}
	tasks, err := r.api.TasksOf(r.Context(), adminclient.TaskQuery{Everywhere: true})
	if err != nil {
		return err
	}
	own, err := r.api.Service(r.Context())
	if err != nil {
		return err
	}
	s := status{ServerList: list, Datacenters: datacentersOf(list.Servers), Jobs: jobsOf(tasks.Tasks), Own: own}
	s.Silent = adminclient.Parts{Complete: list.Complete, Warning: list.Warning}
	for _, server := range list.Servers {
		s.Silent.Servers = append(s.Silent.Servers, adminclient.Asked{
			Server: server.Name, Datacenter: server.Datacenter, Hostname: server.Hostname,
			Answered: server.Answered, Problem: server.Problem, LastHeartbeat: server.LastHeartbeat,
		})
	}
	for _, asked := range tasks.Servers {
		if !asked.Answered {
			s.Late = append(s.Late, asked)
		}
	}
	return c.show(r, "status", "Status", "status", s)
}

func datacentersOf(servers []adminclient.Server) []datacenter {
	var all []datacenter
	for _, s := range servers {
		if len(all) == 0 || all[len(all)-1].Name != s.Datacenter {
			all = append(all, datacenter{Name: s.Datacenter})
		}
		d := &all[len(all)-1]
		d.Servers = append(d.Servers, s)
		if s.Answered {
			d.Answer++
		}
	}
	return all
}

// jobsOf sums up the jobs of all servers, by name.
func jobsOf(tasks []adminclient.Task) []job {
	byName := map[string]*job{}
	var names []string
	for _, t := range tasks {
		j := byName[t.Name]
		if j == nil {
			j = &job{Name: t.Name}
			byName[t.Name], names = j, append(names, t.Name)
		}
		j.Servers++
		if t.Running {
			j.Running++
		}
		if t.Result != "" && t.Result != "ok" {
			j.Bad = append(j.Bad, t)
		}
		if t.Ended != nil && (j.Last.Ended == nil || t.Ended.After(*j.Last.Ended)) {
			j.Last = t
		}
	}
	jobs := make([]job, 0, len(names))
	for _, name := range names {
		jobs = append(jobs, *byName[name])
	}
	slices.SortStableFunc(jobs, func(a, b job) int { return cmp.Compare(len(b.Bad), len(a.Bad)) })
	return jobs
}

// drain takes the server that answers out of service, or puts it back.
func (c *console) drain(r *request) error {
	on := r.PostForm.Get("on") == "true"
	if on && r.PostForm.Get("sure") == "" {
		return errConfirm
	}
	_, err := r.api.Drain(r.Context(), on)
	switch {
	case err != nil:
		return err
	case on:
		return c.back(r, "", "drained")
	}
	return c.back(r, "", "undrained")
}

// statusOf returns the status of a refusal by the API; 0 for other errors.
func statusOf(err error) int {
	var refusal *adminclient.Error
	if errors.As(err, &refusal) {
		return refusal.Status
	}
	return 0
}
