package pop3server

import (
	"cmp"
	"context"
	"errors"
	"net"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/maildrop"
	"popelago/store"
	"popelago/wire"
)

// Server serves POP3 on any number of listeners.
type Server struct {
	cfg     Config
	dir     *account.Directory
	mail    store.Levels[store.Mail]
	clear   *wire.Server // begins without TLS
	secure  *wire.Server // begins with TLS
	metrics *metrics
	logins  *loginTimes
	open    *openSessions
	// commands is read only.
	commands map[wire.Verb]command
	other    prometheus.Observer // of the durations of unknown commands
	lists    *maildrop.Lists
}

// New makes a Server for the accounts of dir and the mailboxes of st, and registers its metrics with
// reg (nil: the metrics are not registered).
func New(cfg Config, dir *account.Directory, st store.Levels[store.Mail], reg prometheus.Registerer) (*Server, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, dir: dir, mail: st, logins: newLoginTimes(cfg.LoginDelay),
		open: newOpenSessions(cfg.MaxSessionsPerAccount), lists: maildrop.NewLists(),
	}
	var err error
	if s.metrics, err = newMetrics(reg, s.lists); err != nil {
		return nil, err
	}
	s.commands, s.other = commandTable(s.metrics), s.metrics.commands.WithLabelValues(commandOther)
	s.clear, s.secure = s.newWire("pop3"), s.newWire("pop3s")
	return s, nil
}

// newWire makes the part of the server that accepts connections, with limits of its own.
func (s *Server) newWire(protocol string) *wire.Server {
	cfg := &s.cfg
	return wire.NewServer(wire.Config{
		Protocol: protocol,
		Handle:   s.handler(),
		Refuse:   s.refuse,

		MaxConns: cfg.MaxConns, MaxConnsPerAddr: cfg.MaxConnsPerAddr, CountLocal: cfg.CountLocal, ProxyNetworks: cfg.ProxyNetworks,
		DropAfter: cfg.DropAfter, SummaryEvery: cfg.SummaryEvery,
		MaxLine:      max(cfg.MaxLine, maxSASL+64), // "AUTH LOGIN " and the initial response are one line
		LoginTimeout: cfg.LoginTimeout, IdleTimeout: cfg.IdleTimeout,
		WriteTimeout: cfg.WriteTimeout, HandshakeTimeout: cfg.HandshakeTimeout,
		Logger: cfg.Logger, Metrics: cfg.Connections,
	})
}

// refuse is the response to a connection that exceeds a limit.
func (s *Server) refuse(reason error) string {
	r := replyTooManyConns()
	if errors.Is(reason, wire.ErrStopping) {
		r = replyStopping()
	}
	return string(r.append(nil, ""))
}

// Serve accepts connections on l until Shutdown, then returns nil. Serve closes l.
func (s *Server) Serve(l net.Listener) error { return s.clear.Serve(l, nil) }

// ServeTLS is Serve with TLS from the first octet (RFC 8314 section 3). Config.TLS must be set.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.cfg.TLS == nil {
		l.Close()
		return errors.New("pop3server: no TLS configuration")
	}
	return s.secure.Serve(l, s.cfg.TLS)
}

// ServeConn serves one connection that the caller made, and returns at the end of the session.
func (s *Server) ServeConn(nc net.Conn) { s.clear.ServeConn(nc) }

// Shutdown stops accepting, ends the sessions that wait for a command with a response, and waits for
// the other sessions to finish their present command. If ctx ends first, Shutdown closes the
// remaining connections by force and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	secure := make(chan error, 1)
	go func() { secure <- s.secure.Shutdown(ctx) }()
	err := s.clear.Shutdown(ctx)
	return cmp.Or(<-secure, err)
}

// Drain refuses new connections with [SYS/TEMP] while on is set; sessions go on.
func (s *Server) Drain(on bool) {
	s.clear.Drain(on)
	s.secure.Drain(on)
}

// EndSessions ends the sessions that wait for a command with [SYS/TEMP], and the other sessions after
// their present command.
func (s *Server) EndSessions() {
	s.clear.EndSessions()
	s.secure.EndSessions()
}

// Sessions returns the number of open connections.
func (s *Server) Sessions() int { return s.clear.Sessions() + s.secure.Sessions() }

// OpenSessions describes the open connections.
func (s *Server) OpenSessions() []wire.Session {
	return append(s.clear.OpenSessions(), s.secure.OpenSessions()...)
}

// EndSession ends a session for the administrator: between two commands, or in the text of a message. A
// QUIT in progress comes to its end; without QUIT nothing is removed. False: no such session, or the
// session ends already.
func (s *Server) EndSession(id string) bool { return s.clear.EndSession(id) || s.secure.EndSession(id) }

// SetLimits changes Config.MaxConns and Config.MaxConnsPerAddr. Connections beyond a lower limit stay.
func (s *Server) SetLimits(maxConns, maxConnsPerAddr int) {
	s.clear.SetLimits(maxConns, maxConnsPerAddr)
	s.secure.SetLimits(maxConns, maxConnsPerAddr)
}
