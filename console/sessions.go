package console

import (
	"net/http"

	"popelago/adminclient"
)

// sessionsMost is the number of sessions on the page.
const sessionsMost = 200

// sessionsPage is the data of the page with the open sessions.
type sessionsPage struct {
	adminclient.SessionList
	Filter adminclient.SessionFilter
	Ended  *adminclient.SessionsEnded // the result of the form; nil: none
}

func (c *console) addSessions(mux *http.ServeMux) {
	mux.HandleFunc("GET "+Root+"sessions", c.page(func(r *request) error { return c.showSessions(r, nil) }))
	mux.HandleFunc("POST "+Root+"sessions", c.page(c.disconnect))
}

// filterOf returns the filter in a form or in the URL.
func filterOf(r *request) adminclient.SessionFilter {
	return adminclient.SessionFilter{
		User: r.FormValue("user"), Client: r.FormValue("client"), Protocol: r.FormValue("protocol"),
		Server: r.FormValue("server"), OlderThan: r.FormValue("olderThan"),
	}
}

func (c *console) showSessions(r *request, ended *adminclient.SessionsEnded) error {
	filter := filterOf(r)
	list, err := r.api.Sessions(r.Context(), filter, sessionsMost)
	if err != nil {
		return err
	}
	return c.show(r, "sessions", "Sessions", "sessions", sessionsPage{list, filter, ended})
}

// disconnect ends one session, or all that the filter selects, and shows the servers without an answer.
func (c *console) disconnect(r *request) error {
	end := adminclient.SessionEnd{SessionFilter: filterOf(r)}
	if id := r.PostForm.Get("id"); id != "" {
		end.SessionFilter = adminclient.SessionFilter{ID: id, Server: r.PostForm.Get("on")}
	} else {
		if r.PostForm.Get("sure") == "" {
			return errConfirm
		}
		end.All = true
	}
	ended, err := r.api.EndSessions(r.Context(), end)
	if err != nil {
		return err
	}
	return c.showSessions(r, &ended)
}
