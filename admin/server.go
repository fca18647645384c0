package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
)

// Process is the running server, as far as the API controls it. app implements Process.
type Process interface {
	Replies
	// Service returns the state of the server, without its load.
	Service() adminclient.Service
	// Load returns the figures of this moment; nil: unknown.
	Load() *adminclient.Load
	// Sessions describes the open sessions, without Server and Datacenter. EndSession ends a session: false
	// if no such session is open, or if the session ends already.
	Sessions() []adminclient.Session
	EndSession(id string) bool
	// Drain takes the server out of service, Undrain puts it back. Both may be repeated.
	Drain()
	Undrain()
	// Settings returns the settings in force. No setting is a secret.
	Settings() []adminclient.Setting
	// Reload reads the configuration again. Errors: ErrReload.
	Reload(ctx context.Context) (adminclient.Reload, error)
	// LogLevel returns the level of the log, SetLogLevel changes it for a while (zero: without end);
	// the empty level stands for the configured level. Errors: ErrNoLogLevel.
	LogLevel() adminclient.LogLevel
	SetLogLevel(level string, lasts time.Duration) (adminclient.LogLevel, error)
}

// Errors of Process.
var (
	// ErrReload: the configuration cannot be used. The settings in force stay.
	ErrReload = errors.New("the configuration was not reloaded, and the settings in force stay")
	// ErrNoLogLevel: the level of the log cannot be changed.
	ErrNoLogLevel = errors.New("the log level cannot be changed")
)

// readyPath and readyOperation name the operation for load balancers, which needs no token.
const (
	readyPath      = "/readyz"
	readyOperation = "ready"
)

func (a *api) addServer() {
	type health struct{ Body adminclient.Health }
	register(a, huma.Operation{
		OperationID: readyOperation, Method: http.MethodGet, Path: readyPath,
		Summary:     "Report whether the server is in service, can read its store and trusts its clock, for load balancers",
		Description: "Status 503 has the reasons in the detail.",
		Security:    []map[string][]string{},
	}, func(ctx context.Context, _ *struct{}) (*health, error) {
		warning, err := NewReadiness(a.directory, a.upkeep, a.cfg.Process).Check(ctx)
		if err != nil {
			return nil, err
		}
		return &health{a.healthy(warning)}, nil
	})

	type answer struct{ Body adminclient.Service }
	state := func() (*answer, error) { return &answer{a.loaded()}, nil }
	register(a, huma.Operation{
		OperationID: "show-server", Method: http.MethodGet, Path: "/v1/server",
		Summary: "Show the state of this server",
	}, func(context.Context, *struct{}) (*answer, error) { return state() })
	register(a, huma.Operation{
		OperationID: "drain-server", Method: http.MethodPut, Path: "/v1/server/drain",
		Summary: "Take this server out of service",
		Description: "/readyz fails at once. After drain_delay the server refuses new connections. Sessions end by themselves, or " +
			"after drain_timeout. A restart ends the drain.",
		DefaultStatus: http.StatusOK,
	}, func(context.Context, *struct{}) (*answer, error) {
		a.cfg.Process.Drain()
		return state()
	})
	register(a, huma.Operation{
		OperationID: "undrain-server", Method: http.MethodDelete, Path: "/v1/server/drain",
		Summary: "Put this server back into service", DefaultStatus: http.StatusOK,
	}, func(context.Context, *struct{}) (*answer, error) {
		a.cfg.Process.Undrain()
		return state()
	})

	type list struct{ Body adminclient.ServerList }
	register(a, huma.Operation{
		OperationID: "list-servers", Method: http.MethodGet, Path: "/v1/servers",
		Summary:     "List the servers of all datacenters whose heartbeats are known, with their load",
		Description: "Each server is asked for its state and its load. A server that does not answer is listed with the reason.",
	}, func(ctx context.Context, _ *struct{}) (*list, error) {
		servers, warning, err := a.servers(ctx, selection{})
		if err != nil {
			return nil, err
		}
		parts := gather(ctx, a, servers, a.ownState, askState, func(s peerState) string { return s.service.Server })
		out := &list{adminclient.ServerList{Servers: make([]adminclient.Server, len(parts)), Warning: warning, Complete: warning == ""}}
		for i, p := range parts {
			out.Body.Servers[i] = serverOf(p)
			out.Body.Complete = out.Body.Complete && p.err == nil
		}
		return out, nil
	})
}

// peerState is the state of a server with the difference of its clock.
type peerState struct {
	service adminclient.Service
	ahead   time.Duration
}

// ownState returns the state of this server.
func (a *api) ownState() peerState { return peerState{service: a.loaded()} }

// loaded returns the state of this server with its load.
func (a *api) loaded() adminclient.Service {
	s := a.cfg.Process.Service()
	s.Load = a.cfg.Process.Load()
	return s
}

// askState asks a server for its state. Its clock is compared with the middle of the question.
func askState(ctx context.Context, c *adminclient.Client) (peerState, error) {
	asked := time.Now()
	s, err := c.Service(ctx)
	took := time.Since(asked)
	return peerState{s, s.Now.Sub(asked.Add(took / 2).Round(0))}, err
}

func serverOf(p part[peerState]) adminclient.Server {
	s := p.server
	out := adminclient.Server{
		Name: s.Name, Datacenter: s.Datacenter, Hostname: s.Address, Version: s.Version,
		Started: moment(s.Started), Clock: moment(s.Clock), Own: s.Own,
		Answered: p.asked.Answered, Problem: p.asked.Problem, LastHeartbeat: p.asked.LastHeartbeat,
	}
	if p.err == nil {
		own := p.answer.service
		ahead := p.answer.ahead.Seconds()
		out.State, out.Since, out.Load, out.ConfigVersion, out.Ahead = own.State, own.Since, own.Load, own.ConfigVersion, &ahead
		out.Version, out.Hostname = own.Version, own.Hostname
	}
	return out
}
