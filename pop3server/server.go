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
	lists   *maildrop.Lists
}

// New makes a Server for the accounts of dir and the mailboxes of st, and registers its
// metrics with reg (nil: they are not registered).
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
	s.clear, s.secure = s.newWire("pop3"), s.newWire("pop3s")
	return s, nil
}

// newWire makes what accepts connections, with limits of its own.
func (s *Server) newWire(protocol string) *wire.Server {
	cfg := &s.cfg
	return wire.NewServer(wire.Config{
		Protocol: protocol,
		Handle:   s.handle,
		Refuse: func(reason error) string {
			if errors.Is(reason, wire.ErrStopping) {
				return "-ERR " + codeTemp + textStopping + "\r\n"
			}
			return "-ERR " + codeTemp + textTooManyConns + "\r\n"
		},
		MaxConns:        cfg.MaxConns,
		MaxConnsPerAddr: cfg.MaxConnsPerAddr,
		CountLocal:      cfg.CountLocal,
		DropAfter:       cfg.DropAfter,
		LoginTimeout:    cfg.LoginTimeout,
		// "AUTH LOGIN " and its initial response are one line.
		MaxLine:          max(cfg.MaxLine, maxSASL+64),
		IdleTimeout:      cfg.IdleTimeout,
		WriteTimeout:     cfg.WriteTimeout,
		HandshakeTimeout: cfg.HandshakeTimeout,
		SummaryEvery:     cfg.SummaryEvery,
		Logger:           cfg.Logger,
		Metrics:          cfg.Connections,
	})
}

// Serve accepts connections on l until Shutdown, then returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error { return s.clear.Serve(l, nil) }

// ServeTLS is Serve with TLS from the first octet (RFC 8314 section 3). Config.TLS must be
// set.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.cfg.TLS == nil {
		l.Close()
		return errors.New("pop3server: no TLS configuration")
	}
	return s.secure.Serve(l, s.cfg.TLS)
}

// ServeConn serves one connection and returns when the session is over.
func (s *Server) ServeConn(nc net.Conn) { s.clear.ServeConn(nc) }

// Shutdown stops accepting, tells the sessions that wait for a command, lets the others
// finish theirs, and waits for all. When ctx ends first, the remaining connections are
// closed by force, and ctx's error is returned once they are gone.
func (s *Server) Shutdown(ctx context.Context) error {
	secure := make(chan error, 1)
	go func() { secure <- s.secure.Shutdown(ctx) }()
	err := s.clear.Shutdown(ctx)
	return cmp.Or(<-secure, err)
}

// handle serves one connection.
func (s *Server) handle(ctx context.Context, c *wire.Conn) {
	sess := &session{srv: s, c: c}
	defer sess.finish()
	sess.run(ctx)
}
