package wire

import (
	"net/netip"
	"time"
)

// Session describes an open connection, for the administrator.
type Session struct {
	ID       string // see Conn.ID
	Protocol string // Config.Protocol
	Remote   netip.Addr
	TLS      bool
	Since    time.Time
	// Ending: the session ends at the next command boundary.
	Ending bool
	Progress
}

// Progress is the report of a handler about its session, see Conn.Report.
type Progress struct {
	User    string // the address of the account; empty before a login
	State   string // a fixed word of the protocol
	Command string // the verb in execution, a fixed word; empty: the session waits for a command

	Commands int64
	Messages int64 // sent or accepted
	Octets   int64 // of messages sent or accepted
}

// Report notes the progress of the session. Only the handler calls Report.
func (c *Conn) Report(p Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress = p
}

// EndRequested reports whether EndSession was called: a handler that sends a long text may stop.
func (c *Conn) EndRequested() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// session describes the connection.
func (c *Conn) session() Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Session{
		ID: c.id, Protocol: c.cfg.Protocol, Remote: c.remote, TLS: c.secured, Since: c.since,
		Ending: c.endedLocked() != nil, Progress: c.progress,
	}
}

// end makes a waiting ReadLine and all later calls return ErrEnded, makes a TLS handshake fail, and hastens output
// behind a client that does not read. end returns false for a connection that ends already.
func (c *Conn) end() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.endedLocked() != nil {
		return false
	}
	c.ended = true
	c.wakeLocked()
	c.hastenLocked()
	return true
}

// OpenSessions describes the open connections, in no order.
func (s *Server) OpenSessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Session, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c.session())
	}
	return all
}

// EndSession ends a session for the administrator: at once if the session waits for a command or sends a text,
// otherwise after the present command, including the text that the command receives. Output to a client that does
// not read delays the end by two seconds at most. EndSession returns false if the session is not open, or ends
// already.
func (s *Server) EndSession(id string) bool {
	c := s.find(id)
	if c == nil || !c.end() {
		return false
	}
	s.cfg.Metrics.dropped.WithLabelValues(s.cfg.Protocol, "administrator").Inc()
	is := c.session()
	s.cfg.Logger.Info("session ended by the administrator", "protocol", is.Protocol, "session", is.ID, "remote", c.RemoteText(),
		"user", is.User, "state", is.State, "command", is.Command)
	return true
}

// find returns the open connection with an id; nil without such a connection.
func (s *Server) find(id string) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.id == id {
			return c
		}
	}
	return nil
}
