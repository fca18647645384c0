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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Server accepts connections on any number of listeners, which share the limits of its Config.
type Server struct {
	cfg Config

	mu        sync.Mutex
	stopping  bool
	draining  bool // see Drain
	listeners map[net.Listener]struct{}
	conns     map[*Conn]context.CancelFunc
	perAddr   map[netip.Addr]int
	crowd     crowd
	headers   map[tcpConn]struct{} // connections of proxies whose header has not come yet
	wg        sync.WaitGroup       // counts connections, also in headers

	// next gives a connection to a goroutine that rests, see rest.
	next    chan *Conn
	resting atomic.Int32
	ended   chan struct{} // closed by Shutdown

	counts    func() *counts
	summaries summaries
}

// maxResting limits the goroutines that rest.
const maxResting = 16

// counts are the metrics of every connection.
type counts struct {
	total prometheus.Counter
	open  prometheus.Gauge
}

// NewServer makes a Server. cfg.Handle and cfg.Refuse must be set.
func NewServer(cfg Config) *Server {
	cfg.setDefaults()
	s := &Server{
		cfg:       cfg,
		listeners: map[net.Listener]struct{}{},
		conns:     map[*Conn]context.CancelFunc{},
		headers:   map[tcpConn]struct{}{},
		perAddr:   map[netip.Addr]int{},
		next:      make(chan *Conn),
		crowd:     newCrowd(),
		ended:     make(chan struct{}),
	}
	s.counts = sync.OnceValue(func() *counts {
		m := s.cfg.Metrics
		return &counts{m.total.WithLabelValues(cfg.Protocol), m.open.WithLabelValues(cfg.Protocol)}
	})
	s.summaries = summaries{cfg: &s.cfg, byText: map[string]*summary{}}
	return s
}

// Serve accepts connections on l until Shutdown, then returns nil. With a tlsConfig the
// connections begin with a TLS handshake (implicit TLS, RFC 8314 section 3). Serve closes l.
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
		// Temporary, such as a lack of file descriptors.
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

// start serves one connection, and does not wait for its end.
func (s *Server) start(nc net.Conn, tlsConfig *tls.Config) {
	if c, ok := s.proxy(nc); ok {
		s.startProxied(c, func(client net.Conn) { s.begin(client, tlsConfig) })
		return
	}
	s.begin(nc, tlsConfig)
}

// begin serves the connection of a client in a goroutine that serves no other connection meanwhile.
func (s *Server) begin(nc net.Conn, tlsConfig *tls.Config) {
	c := newConn(nc, s)
	ctx, cancel := context.WithCancel(context.Background())
	reason := s.admit(c, cancel)
	if reason != nil {
		cancel()
		go s.refuse(c, tlsConfig != nil, reason)
		return
	}
	c.ctx, c.implicitTLS = ctx, tlsConfig
	select {
	case s.next <- c:
	default:
		go func() { // a function with arguments would take more of the stack, see fill
			for c := c; c != nil; c = s.rest() {
				s.serve(c)
			}
		}()
	}
}

// rest waits for another connection, which the goroutine of an ended session serves: a new goroutine would have to
// grow its stack for each session again. rest returns nil if enough goroutines rest, and at Shutdown.
//
//go:noinline
func (s *Server) rest() *Conn {
	defer s.resting.Add(-1)
	if s.resting.Add(1) > maxResting {
		return nil
	}
	select {
	case c := <-s.next:
		return c
	case <-s.ended:
		return nil
	}
}

// AddrKey is the address to which MaxConnsPerAddr applies: an IPv4 address, or an IPv6 /64.
func AddrKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, _ := a.WithZone("").Prefix(64)
		return p.Addr()
	}
	return a
}

// admit registers c, or returns the limit that c exceeds.
func (s *Server) admit(c *Conn, cancel context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || s.draining {
		return ErrStopping
	}
	key, counted := s.counted(c)
	if counted && s.perAddr[key] >= s.cfg.MaxConnsPerAddr {
		return ErrTooManyConnsPerAddr
	}
	if len(s.conns)-s.crowd.dropped >= s.cfg.MaxConns && !s.makeRoomLocked(c) {
		return ErrTooManyConns
	}
	if counted {
		s.perAddr[key]++
	}
	s.conns[c] = cancel
	s.crowd.add(c, counted)
	s.wg.Add(1)
	return nil
}

// counted returns the key of c in perAddr. ok is false if MaxConnsPerAddr does not apply to c.
func (s *Server) counted(c *Conn) (key netip.Addr, ok bool) {
	return AddrKey(c.remote), c.remote.IsValid() && (s.cfg.CountLocal || !c.Local())
}

// release undoes admit.
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

// refuse tells a connection that was not admitted the reason, and ends the connection.
func (s *Server) refuse(c *Conn, implicitTLS bool, reason error) {
	defer c.net.Close()
	switch {
	case errors.Is(reason, ErrTooManyConns):
		s.cfg.Metrics.refused.WithLabelValues(s.cfg.Protocol, "total").Inc()
	case errors.Is(reason, ErrTooManyConnsPerAddr):
		s.cfg.Metrics.refused.WithLabelValues(s.cfg.Protocol, "address").Inc()
	}
	c.LogSummed(slog.LevelWarn, "connection refused", reason)
	if !implicitTLS && s.cfg.Refuse != nil {
		c.net.SetWriteDeadline(time.Now().Add(time.Second))
		io.WriteString(c.net, s.cfg.Refuse(reason))
	}
}

// serve serves an admitted connection.
func (s *Server) serve(c *Conn) {
	s.counts().total.Inc()
	s.counts().open.Inc()
	defer s.end(c)
	if c.implicitTLS != nil && c.handshake(c.ctx, c.implicitTLS) != nil {
		return
	}
	s.cfg.Handle(c.ctx, c)
}

// end ends a connection, also after a panic of its handler.
func (s *Server) end(c *Conn) {
	if p := recover(); p != nil {
		s.cfg.Metrics.panics.WithLabelValues(s.cfg.Protocol).Inc()
		s.cfg.Logger.Error("session panicked", "protocol", s.cfg.Protocol, "session", c.id,
			"cause", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	c.close()
	s.counts().open.Dec()
	s.mu.Lock()
	cancel := s.conns[c]
	s.mu.Unlock()
	cancel()
	s.release(c)
}

// ServeConn serves one connection that the caller made, for tests over net.Pipe. It returns at the
// end of the session.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(nc, s)
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.admit(c, cancel); err != nil {
		cancel()
		s.refuse(c, false, err)
		return
	}
	c.ctx = ctx
	s.serve(c)
}

// Shutdown stops accepting, interrupts the sessions that wait for a command, and waits for the
// other sessions to finish their present command. A connection of a proxy without its header ends. If ctx ends first, Shutdown closes the remaining
// connections by force and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopping {
		close(s.ended)
	}
	s.stopping = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.interrupt()
	}
	for c := range s.headers {
		c.Close()
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
