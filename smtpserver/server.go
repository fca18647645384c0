package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"popelago/delivery"
	"popelago/wire"
)

// Server speaks SMTP or LMTP. Safe for concurrent use.
type Server struct {
	cfg       Config
	deliverer *delivery.Deliverer
	metrics   *metrics
	wire      *wire.Server

	// commands is read only.
	commands map[wire.Verb]command
	other    prometheus.Observer // of the durations of unknown commands
	// openRecipients counts the recipients of the transactions in progress.
	openRecipients atomic.Int64
	// shown limits the refused recipients in the log, for each level.
	shown map[slog.Level]*rate.Limiter

	helloClear string // the reply to EHLO or LHLO with STARTTLS
	helloTLS   string // the reply without STARTTLS
}

// New makes a Server and registers its metrics, with the label protocol, with reg (nil: the metrics
// are not registered).
func New(cfg Config, deliverer *delivery.Deliverer, reg prometheus.Registerer) (*Server, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	m, err := newMetrics(cfg.Protocol, reg)
	if err != nil {
		return nil, fmt.Errorf("smtpserver: metrics: %w", err)
	}
	extensions := []string{
		"PIPELINING", "8BITMIME", "SIZE " + strconv.FormatInt(deliverer.MaxMessageSize(), 10),
		"ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING",
	}
	s := &Server{
		cfg: cfg, deliverer: deliverer, metrics: m, commands: commandTable(cfg.Protocol, m), other: m.commands.WithLabelValues(commandOther),
		shown: map[slog.Level]*rate.Limiter{
			slog.LevelInfo: rate.NewLimiter(shownRefusals, shownBurst), slog.LevelWarn: rate.NewLimiter(shownRefusals, shownBurst),
		},
		helloTLS:   replyEHLO(cfg.Hostname, extensions),
		helloClear: replyEHLO(cfg.Hostname, append(extensions, "STARTTLS")),
	}
	s.wire = wire.NewServer(wire.Config{
		Protocol: string(cfg.Protocol),
		Handle:   s.handle,
		Refuse:   s.refuse,

		MaxConns: cfg.MaxConns, MaxConnsPerAddr: cfg.MaxConnsPerAddr, CountLocal: cfg.CountLocal, ProxyNetworks: cfg.ProxyNetworks,
		DropAfter: cfg.DropAfter, DropKnownAfter: cfg.DropSenderAfter, SummaryEvery: cfg.SummaryEvery,
		MaxLine: cfg.MaxLine, StrictLineEnd: true,
		IdleTimeout: cfg.IdleTimeout, BodyTimeout: cfg.BodyTimeout, MinBodyRate: cfg.MinBodyRate,
		WriteTimeout: cfg.WriteTimeout, HandshakeTimeout: cfg.HandshakeTimeout, AcknowledgementTimeout: cfg.AcknowledgementTimeout,
		Logger: cfg.Logger, Metrics: cfg.Connections,
	})
	return s, nil
}

// refuse is the reply to a connection that exceeds a limit.
func (s *Server) refuse(reason error) string {
	r := replyTooManyConns()
	switch {
	case errors.Is(reason, wire.ErrTooManyConnsPerAddr):
		r = replyTooManyFromAddr()
	case errors.Is(reason, wire.ErrStopping):
		r = replyStopping()
	}
	s.metrics.reply(r.code)
	return string(r.append(nil, ""))
}

// Serve accepts connections on l until Shutdown, then returns nil. Serve closes l.
func (s *Server) Serve(l net.Listener) error { return s.wire.Serve(l, nil) }

// ServeTLS is Serve with TLS from the first octet (RFC 8314 section 3). Config.TLS must be set.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.cfg.TLS == nil {
		l.Close()
		return errors.New("smtpserver: no TLS configuration")
	}
	return s.wire.Serve(l, s.cfg.TLS)
}

// ServeConn serves one connection that the caller made, and returns at the end of the session.
func (s *Server) ServeConn(nc net.Conn) { s.wire.ServeConn(nc) }

// Shutdown stops accepting, ends the sessions that wait for a command with 421, and waits for the
// other sessions to finish their present command, including its text. If ctx ends first, Shutdown
// closes the remaining connections by force and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return s.wire.Shutdown(ctx) }

// Drain refuses new connections with 421 while on is set; sessions go on.
func (s *Server) Drain(on bool) { s.wire.Drain(on) }

// EndSessions ends the sessions that wait for a command with 421, and the other sessions after their
// present command, including its text.
func (s *Server) EndSessions() { s.wire.EndSessions() }

// Sessions returns the number of open connections.
func (s *Server) Sessions() int { return s.wire.Sessions() }

// OpenSessions describes the open connections.
func (s *Server) OpenSessions() []wire.Session { return s.wire.OpenSessions() }

// EndSession ends a session for the administrator with 421, between two commands: a text in progress is
// read to its end and gets its reply before. False: no such session, or the session ends already.
func (s *Server) EndSession(id string) bool { return s.wire.EndSession(id) }

// SetLimits changes Config.MaxConns and Config.MaxConnsPerAddr. Connections beyond a lower limit stay.
func (s *Server) SetLimits(maxConns, maxConnsPerAddr int) {
	s.wire.SetLimits(maxConns, maxConnsPerAddr)
}
