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
	cfg.Place = event.Place{Server: a.engine.name, Datacenter: a.engine.datacenter, Now: a.now}
	cfg.Logger = a.logger
	return cfg
}

// events returns the listener of all parts; nil if no record is kept, so that no event is built.
func (a *App) events() event.Listener {
	if !a.traces.Enabled() {
		return nil
	}
	return a.traces
}

// required returns the recorder that logins, retrievals and accesses wait for; nil: they do not wait.
func (a *App) required() event.Recorder {
	if !a.traces.Required() {
		return nil
	}
	return a.traces
}

// tracePatience bounds the wait for records at the end.
const tracePatience = 5 * time.Second

func (a *App) closeTraces(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracePatience)
	defer cancel()
	a.traces.Close(ctx)
	return nil
}
