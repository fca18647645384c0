package console

import (
	"net/http"

	"popelago/adminclient"
)

func (c *console) addTasks(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"tasks", c.page(c.listTasks))
	mux.HandleFunc("POST "+Root+"tasks/run", c.page(c.runTask))
	mux.HandleFunc("POST "+Root+"tasks/cancel", c.page(c.cancelTask))
}

// tasksPage is the data of the page with the background jobs.
type tasksPage struct {
	adminclient.TaskList
	Servers []serverTasks
	Silent  adminclient.Parts
}

// serverTasks is the jobs of one server.
type serverTasks struct {
	adminclient.Asked
	Tasks []adminclient.Task
}

func (c *console) listTasks(r *request) error {
	list, err := r.api.TasksOf(r.Context(), adminclient.TaskQuery{Everywhere: true, History: true})
	if err != nil {
		return err
	}
	page := tasksPage{TaskList: list, Silent: list.Parts}
	for _, asked := range list.Parts.Servers {
		s := serverTasks{Asked: asked}
		for _, t := range list.Tasks {
			if t.Server == asked.Server {
				s.Tasks = append(s.Tasks, t)
			}
		}
		if asked.Answered {
			page.Servers = append(page.Servers, s)
		}
	}
	return c.show(r, "tasks", "Background jobs", "tasks", page)
}

func (c *console) runTask(r *request) error {
	if _, err := r.api.RunTaskOn(r.Context(), r.PostForm.Get("server"), r.PostForm.Get("name"), false); err != nil {
		return err
	}
	return c.back(r, "tasks", "started")
}

func (c *console) cancelTask(r *request) error {
	cancel, err := r.api.CancelTask(r.Context(), r.PostForm.Get("server"), r.PostForm.Get("name"))
	switch {
	case err != nil:
		return err
	case cancel.Cancelled:
		return c.back(r, "tasks", "cancelled")
	}
	return c.back(r, "tasks", "nothing")
}
