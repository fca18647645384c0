package app

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"popelago/admin"
)

// readyPatience bounds the questions to the store for one answer to a load balancer.
const readyPatience = 5 * time.Second

// readiness judges this server, as the administration API does.
func (a *App) readiness() *admin.Readiness {
	return admin.NewReadiness(a.directory, a.engine.store.Upkeep.Local, a)
}

// serveHealth answers at the listener of the metrics whether the server can read its store. The log has the
// cause of a fault.
func (a *App) serveHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
	defer cancel()
	warning, err := a.readiness().Storage(ctx)
	if err != nil {
		answerCheck(w, http.StatusServiceUnavailable, "the server cannot read its store", "")
		return
	}
	answerCheck(w, http.StatusOK, "ok", warning)
}

// serveReady answers a load balancer at the listener of the metrics: the state of the server, and the reasons
// why the server is not ready, or serves only a part of the mailboxes.
func (a *App) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyPatience)
	defer cancel()
	state := a.Service().State
	warning, err := a.readiness().Check(ctx)
	if err != nil {
		answerCheck(w, http.StatusServiceUnavailable, state, err.Error())
		return
	}
	answerCheck(w, http.StatusOK, state, warning)
}

// answerCheck writes a text for a health check, and a second line unless the line is empty. The client may be gone.
func answerCheck(w http.ResponseWriter, status int, text, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
	if line != "" {
		fmt.Fprintln(w, line)
	}
}
