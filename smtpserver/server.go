package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/delivery"
	"popelago/wire"
)

// Protocol is what a Server speaks.
type Protocol string

// The two protocols.
const (
	SMTP Protocol = "smtp"
	LMTP Protocol = "lmtp"
)

// Config holds the settings of a Server. Zero values mean the defaults given here.
type Config struct {
	// Protocol must be set.
	Protocol Protocol
	// Hostname is this host's name in the greeting and in Received lines. Default localhost.
	Hostname string
	// TLS is used by STARTTLS and ServeTLS. Nil: neither is offered.
	TLS *tls.Config

	// MaxRecipients limits the recipients of one message; more get 452 (RFC 5321 section
	// 4.5.3.1.10). Default 1,000; the RFC asks for at least 100.
	MaxRecipients int
	// MaxBadCommands is how many commands of a session may be unknown or malformed; one more
	// ends it. Default 20.
	MaxBadCommands int
	// MaxRefusedRecipients is how many recipients may be refused for good before a message is
	// stored; one more ends the session: somebody is guessing addresses (RFC 5321 section
	// 7.3). Default 100; negative: no limit.
	MaxRefusedRecipients int
	// MaxHarmlessCommands is how many commands a session may send before a message is stored,
	// not counting recipients and texts; one more ends it. Default 100; negative: no limit.
	MaxHarmlessCommands int

	// NormalizeLF takes a bare LF in a text for the end of a line, which is stored as CRLF.
	// False: a text with a bare LF is refused. Neither is a bare LF ever part of what ends a text,
	// nor does it end a command line.
	NormalizeLF bool

	// MaxConns and MaxConnsPerAddr limit connections, see wire.Config. Defaults 10,000 and
	// 200.
	MaxConns, MaxConnsPerAddr int
	// CountLocal applies MaxConnsPerAddr to clients on this machine too.
	CountLocal bool
	// DropAfter, MinBodyRate and SummaryEvery are those of wire.Config. A client is known from
	// its first accepted recipient on.
	DropAfter    time.Duration
	MinBodyRate  int64
	SummaryEvery time.Duration
	// MaxLine limits a command line in octets. Default 4,096 (RFC 5321 section 4.5.3.1.4 asks
	// for 512, and more for each extension). Lines of a text are not limited.
	MaxLine int
	// IdleTimeout limits the wait for a command. Default 5 minutes (RFC 5321 section
	// 4.5.3.2.7).
	IdleTimeout time.Duration
	// BodyTimeout limits the wait for each 16 KiB of a text. Default 5 minutes (section
	// 4.5.3.2.5 has 3).
	BodyTimeout time.Duration
	// WriteTimeout and HandshakeTimeout: see wire.Config. Defaults 1 minute and 30 seconds.
	WriteTimeout, HandshakeTimeout time.Duration

	// Logger takes a line for each message, and what an operator should know. Nil: none.
	Logger *slog.Logger
	// Connections counts connections, for all servers of a process. Nil: they are not
	// counted.
	Connections *wire.Metrics
}

// Server speaks SMTP or LMTP. Safe for concurrent use.
type Server struct {
	cfg       Config
	deliverer *delivery.Deliverer
	metrics   *metrics
	wire      *wire.Server

	helloClear string // the answer to EHLO or LHLO where STARTTLS is offered
	helloTLS   string // where it is not
}

// New makes a Server and registers its metrics, with the label protocol, with reg (nil: they
// are not registered).
func New(cfg Config, deliverer *delivery.Deliverer, reg prometheus.Registerer) (*Server, error) {
	if cfg.Protocol != SMTP && cfg.Protocol != LMTP {
		return nil, fmt.Errorf("smtpserver: %q is not a protocol", cfg.Protocol)
	}
	if cfg.Hostname == "" {
		cfg.Hostname = "localhost"
	}
	if cfg.MaxRecipients <= 0 {
		cfg.MaxRecipients = 1000
	}
	if cfg.MaxBadCommands <= 0 {
		cfg.MaxBadCommands = 20
	}
	if cfg.MaxRefusedRecipients == 0 {
		cfg.MaxRefusedRecipients = 100
	}
	if cfg.MaxHarmlessCommands == 0 {
		cfg.MaxHarmlessCommands = 100
	}
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = 5 * time.Minute
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
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
		cfg: cfg, deliverer: deliverer, metrics: m,
		helloTLS:   hello(cfg.Hostname, extensions),
		helloClear: hello(cfg.Hostname, append(extensions, "STARTTLS")),
	}
	s.wire = wire.NewServer(wire.Config{
		Protocol: string(cfg.Protocol),
		Handle:   s.serve,
		Refuse:   s.refuse,

		MaxConns: cfg.MaxConns, MaxConnsPerAddr: cfg.MaxConnsPerAddr, CountLocal: cfg.CountLocal,
		DropAfter: cfg.DropAfter, SummaryEvery: cfg.SummaryEvery,
		MaxLine: cfg.MaxLine, StrictLineEnd: true,
		IdleTimeout: cfg.IdleTimeout, BodyTimeout: cfg.BodyTimeout, MinBodyRate: cfg.MinBodyRate,
		WriteTimeout: cfg.WriteTimeout, HandshakeTimeout: cfg.HandshakeTimeout,
		Logger: cfg.Logger, Metrics: cfg.Connections,
	})
	return s, nil
}

// refuse is what a connection hears that is over a limit.
func (s *Server) refuse(reason error) string {
	r := replyTooManyConns()
	if errors.Is(reason, wire.ErrTooManyConnsPerAddr) {
		r = replyTooManyFromAddr()
	}
	s.metrics.reply(r.code)
	return string(r.append(nil, ""))
}

// Serve accepts connections on l until Shutdown, then returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error { return s.wire.Serve(l, nil) }

// ServeTLS is Serve for connections that begin with a TLS handshake. Config.TLS must be set.
func (s *Server) ServeTLS(l net.Listener) error {
	if s.cfg.TLS == nil {
		l.Close()
		return errors.New("smtpserver: no TLS configuration")
	}
	return s.wire.Serve(l, s.cfg.TLS)
}

// ServeConn serves one connection that the caller made, and returns when it is over.
func (s *Server) ServeConn(nc net.Conn) { s.wire.ServeConn(nc) }

// Shutdown stops accepting, sends 421 to sessions that wait for a command, and lets messages
// on their way in finish. When ctx ends first the connections left are closed by force, and
// ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error { return s.wire.Shutdown(ctx) }
