package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"time"
)

// Config is how a Server treats its connections. New fills in the defaults given here for
// zero values.
type Config struct {
	// Protocol names the server in logs and metrics: "pop3", "smtp", "lmtp".
	Protocol string

	// Handle serves one connection and returns when the session is over. ctx ends when the
	// connection is closed by force. The connection is flushed and closed afterwards.
	Handle func(ctx context.Context, c *Conn)
	// Refuse gives the line, with CRLF, that a connection gets which is refused because of
	// ErrTooManyConns, ErrTooManyConnsPerAddr or ErrStopping. Never used on implicit TLS.
	Refuse func(reason error) string

	// MaxConns limits connections at the same time. Default 10,000.
	MaxConns int
	// DropAfter is the age from which a connection that is not known (Conn.Known) is dropped for
	// a new one while MaxConns are open: the oldest first. Default 3 seconds; negative: none is
	// dropped, and the new one is refused.
	DropAfter time.Duration
	// LoginTimeout limits the time from the beginning of a connection until it is known
	// (Conn.Known), its TLS handshake included. Zero: no limit.
	LoginTimeout time.Duration
	// MaxConnsPerAddr limits those from one address (IPv6: one /64). Default 200. Clients on
	// this machine (Conn.Local) are not counted.
	MaxConnsPerAddr int
	// CountLocal applies MaxConnsPerAddr to clients on this machine too.
	CountLocal bool

	// MaxLine limits a command line in octets, without its line end. Default 4,096; at most
	// MaxLineLimit.
	MaxLine int
	// StrictLineEnd refuses command lines that end in LF without CR.
	StrictLineEnd bool

	// IdleTimeout limits the wait for a whole command line. Default 10 minutes.
	IdleTimeout time.Duration
	// BodyTimeout limits the wait for each 16 KiB of a text (or all of a shorter one).
	// Default 5 minutes.
	BodyTimeout time.Duration
	// MinBodyRate is the fewest octets a second that a text has to bring on average, after
	// BodyTimeout. Zero: no limit.
	MinBodyRate int64
	// WriteTimeout limits the time the peer may take for each 32 KiB of output. Default 1
	// minute.
	WriteTimeout time.Duration
	// HandshakeTimeout limits a TLS handshake. Default 30 seconds.
	HandshakeTimeout time.Duration

	// SummaryEvery is how often events that strangers can cause without end (connections
	// refused or dropped, failed TLS handshakes) are logged, summed up. Default 1 minute.
	SummaryEvery time.Duration

	Logger  *slog.Logger // nil: none
	Metrics *Metrics     // nil: none
}

func (cfg *Config) setDefaults() {
	setDefault(&cfg.MaxConns, 10_000)
	setDefault(&cfg.DropAfter, 3*time.Second)
	setDefault(&cfg.MaxConnsPerAddr, 200)
	setDefault(&cfg.MaxLine, 4096)
	setDefault(&cfg.IdleTimeout, 10*time.Minute)
	setDefault(&cfg.BodyTimeout, 5*time.Minute)
	setDefault(&cfg.WriteTimeout, time.Minute)
	setDefault(&cfg.HandshakeTimeout, 30*time.Second)
	setDefault(&cfg.SummaryEvery, time.Minute)
	cfg.MaxLine = min(cfg.MaxLine, MaxLineLimit)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
}

func setDefault[T int | time.Duration](p *T, d T) {
	if *p == 0 {
		*p = d
	}
}

// Server accepts connections on any number of listeners, with common limits.
type Server struct {
	cfg Config

	mu        sync.Mutex
	stopping  bool
	listeners map[net.Listener]struct{}
	conns     map[*Conn]context.CancelFunc
	perAddr   map[netip.Addr]int
	crowd     crowd
	wg        sync.WaitGroup // one for each connection

	summaries summaries
}

// NewServer makes a Server. cfg.Handle and cfg.Refuse must be set.
func NewServer(cfg Config) *Server {
	cfg.setDefaults()
	s := &Server{
		cfg:       cfg,
		listeners: map[net.Listener]struct{}{},
		conns:     map[*Conn]context.CancelFunc{},
		perAddr:   map[netip.Addr]int{},
	}
	s.summaries = summaries{cfg: &s.cfg, byText: map[string]*summary{}}
	return s
}

// Serve accepts connections on l until Shutdown, then returns nil. With a tlsConfig the
// connection begins with a TLS handshake (implicit TLS, RFC 8314 section 3). Serve closes l.
func (s *Server) Serve(l net.Listener, tlsConfig *tls.Config) error {
	if !s.track(l) {
		l.Close()
		return nil
	}
	defer s.untrack(l)
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			s.start(nc, tlsConfig)
			continue
		}
		if s.isStopping() {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Out of file descriptors and the like: it passes.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		s.cfg.Logger.Warn("accept failed", "protocol", s.cfg.Protocol, "cause", err, "again_in", pause)
		time.Sleep(pause)
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) untrack(l net.Listener) {
	l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// start begins to serve one connection in a goroutine of its own.
func (s *Server) start(nc net.Conn, tlsConfig *tls.Config) {
	c := newConn(nc, s)
	ctx, cancel := context.WithCancel(context.Background())
	reason := s.admit(c, cancel)
	if reason != nil {
		cancel()
		go s.refuse(c, tlsConfig != nil, reason)
		return
	}
	go s.serve(ctx, c, tlsConfig)
}

// addrKey is what MaxConnsPerAddr counts by.
func addrKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.Addr()
	}
	return a
}

// admit registers c, or says which limit it is over.
func (s *Server) admit(c *Conn, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return ErrStopping
	}
	key, counted := s.counted(c)
	if counted && s.perAddr[key] >= s.cfg.MaxConnsPerAddr {
		return ErrTooManyConnsPerAddr
	}
	if len(s.conns)-s.crowd.leaving >= s.cfg.MaxConns && !s.makeRoomLocked() {
		return ErrTooManyConns
	}
	if counted {
		s.perAddr[key]++
	}
	s.conns[c] = cancel
	s.crowd.add(c)
	s.wg.Add(1)
	return nil
}

func (s *Server) counted(c *Conn) (netip.Addr, bool) {
	return addrKey(c.remote), c.remote.IsValid() && (s.cfg.CountLocal || !c.Local())
}

func (s *Server) release(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.crowd.remove(c)
	if key, counted := s.counted(c); counted {
		if s.perAddr[key]--; s.perAddr[key] <= 0 {
			delete(s.perAddr, key)
		}
	}
	s.wg.Done()
}

// refuse ends a connection that was not admitted.
func (s *Server) refuse(c *Conn, implicitTLS bool, reason error) {
	defer c.net.Close()
	switch reason {
	case ErrTooManyConns:
		s.cfg.Metrics.refused.WithLabelValues(s.cfg.Protocol, "total").Inc()
	case ErrTooManyConnsPerAddr:
		s.cfg.Metrics.refused.WithLabelValues(s.cfg.Protocol, "address").Inc()
	}
	c.LogSummed(slog.LevelWarn, "connection refused", reason)
	if !implicitTLS && s.cfg.Refuse != nil {
		c.net.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(c.net, s.cfg.Refuse(reason))
	}
}

func (s *Server) serve(ctx context.Context, c *Conn, tlsConfig *tls.Config) {
	m := s.cfg.Metrics
	m.total.WithLabelValues(s.cfg.Protocol).Inc()
	m.open.WithLabelValues(s.cfg.Protocol).Inc()
	defer func() {
		if p := recover(); p != nil {
			m.panics.WithLabelValues(s.cfg.Protocol).Inc()
			s.cfg.Logger.Error("session panicked", "protocol", s.cfg.Protocol, "session", c.id,
				"cause", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
		c.close()
		m.open.WithLabelValues(s.cfg.Protocol).Dec()
		s.mu.Lock()
		cancel := s.conns[c]
		s.mu.Unlock()
		cancel()
		s.release(c)
	}()
	if tlsConfig != nil {
		if c.handshake(ctx, tlsConfig) != nil {
			return
		}
	}
	s.cfg.Handle(ctx, c)
}

// ServeConn serves one connection that the caller made, for tests over net.Pipe. It returns
// when the session is over.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(nc, s)
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.admit(c, cancel); err != nil {
		cancel()
		s.refuse(c, false, err)
		return
	}
	s.serve(ctx, c, nil)
}

// Conns is the count of connections open now.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown stops accepting, interrupts the sessions that wait for a command, lets the others
// finish the command they are at, and waits for all. When ctx ends first, the remaining
// connections are closed by force, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.Interrupt()
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	defer s.summaries.end()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c, cancel := range s.conns {
		cancel()
		c.abort()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}
