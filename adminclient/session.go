package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Asked is a server that was asked for its part of an answer.
type Asked struct {
	Server     string `json:"server" doc:"Permanent name of the server."`
	Datacenter string `json:"datacenter,omitempty"`
	Hostname   string `json:"hostname,omitempty"`
	Own        bool   `json:"own" doc:"The server that answers."`
	Answered   bool   `json:"answered" doc:"The answer contains the part of this server."`
	Problem    string `json:"problem,omitempty" doc:"Reason of a missing part."`
	// LastHeartbeat is set if the heartbeats of the server have ended.
	LastHeartbeat *time.Time `json:"lastHeartbeat,omitempty" doc:"Last heartbeat of a server whose heartbeats have ended: it was stopped, has died, or has lost the cluster."`
}

// Parts describes the servers behind an answer.
type Parts struct {
	// Complete is set if all servers have answered, as far as known.
	Complete bool    `json:"complete" doc:"All known servers have answered."`
	Warning  string  `json:"warning,omitempty" doc:"Reason for which servers may be missing from the list of servers."`
	Servers  []Asked `json:"servers" nullable:"false" doc:"The servers that were asked, by datacenter and name."`
}

// LocalClient is Session.Client for the clients of unix sockets.
const LocalClient = "local"

// Session is an open connection of POP3, SMTP or LMTP.
type Session struct {
	Server     string    `json:"server" doc:"Permanent name of the server."`
	Datacenter string    `json:"datacenter,omitempty"`
	ID         string    `json:"id" doc:"Name of the session in logs and replies."`
	Protocol   string    `json:"protocol" enum:"pop3,pop3s,smtp,lmtp" doc:"pop3s: TLS from the start."`
	TLS        bool      `json:"tls"`
	User       string    `json:"user,omitempty" doc:"Address of the account, after the login."`
	Client     string    `json:"client" doc:"IP address of the client; local for a unix socket."`
	Since      time.Time `json:"since" doc:"Begin of the connection."`
	State      string    `json:"state" doc:"authorization, transaction or update with POP3; connected, ready, transaction or text with SMTP and LMTP."`
	Command    string    `json:"command,omitempty" doc:"Command in execution; absent: the session waits for a command."`
	Ending     bool      `json:"ending,omitempty" doc:"The session ends at the next command boundary."`
	Commands   int64     `json:"commands"`
	Messages   int64     `json:"messages" doc:"Messages sent by RETR, or accepted by SMTP and LMTP, by ended commands."`
	Octets     int64     `json:"octets" doc:"Octets of messages sent by RETR and TOP, or accepted, by ended commands."`
}

// SessionList is the sessions of all servers, the oldest first.
type SessionList struct {
	Sessions []Session `json:"sessions" nullable:"false"`
	More     int       `json:"more" doc:"Sessions left out because of limit."`
	Parts
}

// SessionFilter selects sessions. Empty fields select all.
type SessionFilter struct {
	ID         string `json:"id,omitempty" maxLength:"100" doc:"Only the session with this id."`
	User       string `json:"user,omitempty" maxLength:"1000" doc:"Only sessions of this account, or with @example.org of this domain."`
	Client     string `json:"client,omitempty" maxLength:"100" doc:"Only sessions from this IP address or network." example:"192.0.2.0/24"`
	Protocol   string `json:"protocol,omitempty" enum:"pop3,pop3s,smtp,lmtp" doc:"Only sessions of this protocol; pop3 includes pop3s."`
	Server     string `json:"server,omitempty" maxLength:"500" doc:"Only this server: its name or its host name."`
	Datacenter string `json:"datacenter,omitempty" maxLength:"100" doc:"Only the servers of this datacenter."`
	OlderThan  string `json:"olderThan,omitempty" maxLength:"30" doc:"Only sessions that are older." example:"10m"`
	Local      bool   `json:"local,omitempty" doc:"Only the server that answers, which asks no other server."`
}

// SessionEnd selects the sessions to be ended.
type SessionEnd struct {
	SessionFilter
	All bool `json:"all,omitempty" doc:"Needed to end sessions without naming id, user or client."`
}

// SessionsEnded reports ended sessions.
type SessionsEnded struct {
	Ended int `json:"ended" doc:"Sessions that were told to end. Sessions that were ending already are not counted."`
	Parts
}

// query returns the filter as the query of a request.
func (f SessionFilter) query(limit int) url.Values {
	q := url.Values{}
	for key, value := range map[string]string{
		"id": f.ID, "user": f.User, "client": f.Client, "protocol": f.Protocol, "server": f.Server,
		"datacenter": f.Datacenter, "olderThan": f.OlderThan,
	} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Local {
		q.Set("local", "true")
	}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return q
}

// Sessions returns the sessions that a filter selects, at most limit (0: the default of the server). Status 404: no such
// server or datacenter.
func (c *Client) Sessions(ctx context.Context, f SessionFilter, limit int) (SessionList, error) {
	var list SessionList
	err := c.call(ctx, http.MethodGet, withQuery("/v1/sessions", f.query(limit)), nil, &list)
	return list, err
}

// EndSessions ends the sessions that a filter selects. Ending a session twice is no error.
func (c *Client) EndSessions(ctx context.Context, e SessionEnd) (SessionsEnded, error) {
	var out SessionsEnded
	err := c.call(ctx, http.MethodPost, "/v1/sessions/disconnect", e, &out)
	return out, err
}

// withQuery adds a query to a path.
func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
