package app

import (
	"context"
	"time"

	"popelago/event"
	"popelago/trace"
)

// buildTraces makes the keeper of the records of events.
func (a *App) buildTraces() (err error) {
	a.traces, err = trace.New(a.traceConfig(), a.engine.store, a.registry)
	return err
}

func (a *App) traceConfig() trace.Config {
	cfg := a.cfg.Trace
	cfg.Place = a.place()
	cfg.Logger = a.logger
	return cfg
}

// place returns the origin of the events of this server.
func (a *App) place() event.Place {
	return event.Place{Server: a.engine.name, Datacenter: a.engine.datacenter, Now: a.now}
}

// events returns the listener of all parts; nil if nothing is kept, so that no event is built.
func (a *App) events() event.Listener {
	var all event.Listeners
	if a.traces.Enabled() {
		all = append(all, a.traces)
	}
	if a.cfg.Events.Enabled {
		all = append(all, a.hooks.outbox)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

// loginEvents is events for the parts that check passwords and tokens: repeated failures become one event.
func (a *App) loginEvents() event.Listener {
	if a.logins == nil {
		return nil
	}
	return a.logins
}

// required returns the recorder that logins, retrievals and accesses wait for; nil: they do not wait.
func (a *App) required() event.Recorder {
	switch {
	case !a.traces.Required():
		return nil
	case !a.cfg.Events.Enabled:
		return a.traces
	}
	return recorder{a.traces, a.hooks.outbox}
}

// recorder passes recorded events on to another listener, too.
type recorder struct {
	event.Recorder
	listener event.Listener
}

// Record implements event.Recorder.
func (r recorder) Record(ctx context.Context, e event.Event) error {
	err := r.Recorder.Record(ctx, e)
	if err == nil {
		r.listener.Happened(e)
	}
	return err
}

// tracePatience bounds the wait for records at the end.
const tracePatience = 5 * time.Second

func (a *App) closeTraces(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracePatience)
	defer cancel()
	if a.logins != nil {
		a.logins.Close()
	}
	a.traces.Close(ctx)
	return nil
}
