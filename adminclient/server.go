package adminclient

import (
	"context"
	"net/http"
	"time"
)

// The states of a server.
const (
	Serving  = "serving"
	Draining = "draining"
	Drained  = "drained"
)

// Service is the state of the server that answers.
type Service struct {
	State    string     `json:"state" enum:"serving,draining,drained" doc:"draining: out of service, with sessions or connections left. drained: no session is left."`
	Since    *time.Time `json:"since,omitempty" doc:"Begin of the drain."`
	Sessions int        `json:"sessions" doc:"Open connections of POP3, SMTP and LMTP."`
	Version  string     `json:"version"`
	Hostname string     `json:"hostname"`
	// Server and Datacenter name the server in its cluster.
	Server        string    `json:"server,omitempty" doc:"Permanent name of the server: its machine and data folder."`
	Datacenter    string    `json:"datacenter,omitempty"`
	Now           time.Time `json:"now" doc:"The clock of the server."`
	ConfigVersion int       `json:"configVersion" doc:"config_version in force."`
	Load          *Load     `json:"load,omitempty"`
}

// Load has the figures of a server at one moment.
type Load struct {
	Sessions   map[string]int `json:"sessions" doc:"Open connections by protocol: pop3, pop3s, smtp, lmtp."`
	Deliveries int            `json:"deliveries" doc:"Messages that SMTP and LMTP are receiving or storing."`
	Retrievals int            `json:"retrievals" doc:"Messages that POP3 is sending."`
	// Accepted, Retrieved and Removed grow from the start of the server; two moments give a rate.
	Accepted   int64 `json:"accepted" doc:"Messages accepted for at least one recipient since the start of the server."`
	Retrieved  int64 `json:"retrieved" doc:"Messages sent by RETR since the start of the server."`
	Removed    int64 `json:"removed" doc:"Messages removed by QUIT since the start of the server."`
	Goroutines int   `json:"goroutines"`
	HeapOctets int64 `json:"heapOctets" doc:"Memory of live and not yet collected objects."`
}

// Server is a server of the cluster.
type Server struct {
	Name       string     `json:"name" doc:"Permanent name of the server: its machine and data folder."`
	Datacenter string     `json:"datacenter,omitempty"`
	Hostname   string     `json:"hostname,omitempty"`
	Version    string     `json:"version"`
	Started    *time.Time `json:"started,omitempty"`
	Clock      *time.Time `json:"clock,omitempty" doc:"The clock of the server at its last heartbeat; absent: the server does not trust its clock."`
	Own        bool       `json:"own" doc:"The server that answers."`
	// The next fields come from the server itself.
	Answered      bool       `json:"answered" doc:"The server was asked for its state and has answered."`
	Problem       string     `json:"problem,omitempty" doc:"Reason of a missing answer."`
	LastHeartbeat *time.Time `json:"lastHeartbeat,omitempty" doc:"Last heartbeat of a server whose heartbeats have ended."`
	State         string     `json:"state,omitempty" enum:"serving,draining,drained"`
	Since         *time.Time `json:"since,omitempty" doc:"Begin of the drain."`
	Ahead         *float64   `json:"ahead,omitempty" doc:"Seconds by which the clock of the server is ahead of the clock of the server that answers; half the time of the question is the error."`
	ConfigVersion int        `json:"configVersion,omitempty"`
	Load          *Load      `json:"load,omitempty"`
}

// ServerList is all servers whose heartbeats are known, by datacenter and name.
type ServerList struct {
	Complete bool     `json:"complete" doc:"All known servers have answered."`
	Warning  string   `json:"warning,omitempty" doc:"Reason for which servers may be missing."`
	Servers  []Server `json:"servers" nullable:"false"`
}

// Ready asks whether the server is in service. Status 503: it is drained, or cannot read its store.
func (c *Client) Ready(ctx context.Context) (Health, error) {
	var h Health
	err := c.call(ctx, http.MethodGet, "/readyz", nil, &h)
	return h, err
}

// Service returns the state of the server.
func (c *Client) Service(ctx context.Context) (Service, error) {
	var s Service
	err := c.call(ctx, http.MethodGet, "/v1/server", nil, &s)
	return s, err
}

// Drain takes the server out of service, or puts it back, and returns its state.
func (c *Client) Drain(ctx context.Context, on bool) (Service, error) {
	var s Service
	method := http.MethodPut
	if !on {
		method = http.MethodDelete
	}
	err := c.call(ctx, method, "/v1/server/drain", nil, &s)
	return s, err
}

// Servers returns the servers of all datacenters.
func (c *Client) Servers(ctx context.Context) (ServerList, error) {
	var list ServerList
	err := c.call(ctx, http.MethodGet, "/v1/servers", nil, &list)
	return list, err
}
