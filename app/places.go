package app

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"popelago/wire"
)

// connPlaces bounds the connections of several HTTP listeners together: each connection holds a place. The
// connections of one address (IPv6: one /64) hold a part of the places at most; this machine has no such limit.
// A connection without a request gives its place to a new connection that would find none.
type connPlaces struct {
	slots   chan struct{}
	perAddr int
	logger  *slog.Logger
	every   time.Duration // between two log lines of one kind

	mu      sync.Mutex
	conns   map[*placedConn]struct{}
	byAddr  map[netip.Addr]int // by wire.AddrKey
	refused sums
	crowded sums
	// handshakes and faults count the lines of httpErrors.
	handshakes, faults sums
}

// sums counts events for the next log line.
type sums struct {
	last  time.Time
	times int
}

func newConnPlaces(most, perAddr int, every time.Duration, logger *slog.Logger) *connPlaces {
	return &connPlaces{
		slots: make(chan struct{}, most), perAddr: perAddr, every: every, logger: logger,
		conns: map[*placedConn]struct{}{}, byAddr: map[netip.Addr]int{},
	}
}

const (
	// idleLeast is the time after which a connection without a request may lose its place: its last answer
	// has left the server.
	idleLeast = time.Second
	// idleLook is the pause between two looks for such a connection while another connection waits.
	idleLook = 200 * time.Millisecond
	// firstRequest is the time in which a new connection is not idle: TLS and the first request take their time.
	firstRequest = 2 * time.Second
)

// limit returns a listener that accepts connections of l as soon as they have a place. Each listener
// may hold one more connection, which waits for its place.
func (p *connPlaces) limit(l net.Listener) net.Listener {
	return &limitedListener{Listener: l, places: p, closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	places *connPlaces
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		pc := &placedConn{Conn: c, places: l.places, from: placeOf(c.RemoteAddr())}
		switch {
		case !l.places.admit(pc):
			c.Close()
		case !l.places.wait(pc, l.closed):
			l.places.leave(pc)
			c.Close()
			return nil, net.ErrClosed
		default:
			return pc, nil
		}
	}
}

// Close implements net.Listener.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// placeOf returns the address whose connections are counted together; the zero value: they are not counted.
func placeOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap()
	if addr.IsLoopback() {
		return netip.Addr{}
	}
	return wire.AddrKey(addr)
}

// admit counts a connection. false: its address has too many, and each of them has a request.
func (p *connPlaces) admit(c *placedConn) bool {
	full := func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if c.from.IsValid() && p.byAddr[c.from] >= p.perAddr {
			return true
		}
		p.conns[c] = struct{}{}
		p.byAddr[c.from]++
		return false
	}
	if !full() {
		return true
	}
	if p.endIdle(func(other *placedConn) bool { return other.from == c.from }) && !full() {
		return true
	}
	p.note(slog.LevelWarn, &p.refused, "connection refused", "remote", c.RemoteAddr().String(), "cause", "too many connections from this address")
	return false
}

// wait waits for a place; false: the listener was closed meanwhile.
func (p *connPlaces) wait(c *placedConn, closed <-chan struct{}) bool {
	select {
	case p.slots <- struct{}{}:
		c.mark(true)
		return true
	default:
	}
	p.note(slog.LevelWarn, &p.crowded, "connections wait: all places are taken", "remote", c.RemoteAddr().String(), "places", cap(p.slots))
	look := time.NewTicker(idleLook)
	defer look.Stop()
	for {
		p.endIdle(func(*placedConn) bool { return true })
		select {
		case p.slots <- struct{}{}:
			c.mark(true)
			return true
		case <-closed:
			return false
		case <-look.C:
		}
	}
}

// mark notes that a connection holds a place.
func (c *placedConn) mark(placed bool) {
	c.places.mu.Lock()
	defer c.places.mu.Unlock()
	c.placed = placed
}

// endIdle closes the connection that has been without a request for the longest time, of those that may be
// closed; false: there is none.
func (p *connPlaces) endIdle(may func(*placedConn) bool) bool {
	p.mu.Lock()
	var oldest *placedConn
	for c := range p.conns {
		if !c.idle.IsZero() && time.Since(c.idle) >= idleLeast && (oldest == nil || c.idle.Before(oldest.idle)) && may(c) {
			oldest = c
		}
	}
	p.mu.Unlock()
	if oldest == nil {
		return false
	}
	oldest.Close()
	return true
}

// leave ends the count of a connection, and frees its place.
func (p *connPlaces) leave(c *placedConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.conns[c]; !ok {
		return
	}
	delete(p.conns, c)
	if p.byAddr[c.from]--; p.byAddr[c.from] == 0 {
		delete(p.byAddr, c.from)
	}
	if c.placed {
		<-p.slots
	}
}

// state is http.Server.ConnState.
func (p *connPlaces) state(c net.Conn, s http.ConnState) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	pc, ok := c.(*placedConn)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch s {
	case http.StateIdle:
		pc.idle = time.Now()
	case http.StateNew: // a client may stay silent on purpose
		pc.idle = time.Now().Add(firstRequest)
	default:
		pc.idle = time.Time{}
	}
}

// note logs an event that strangers can cause without limit: once in every, with the number of events since
// the line before.
func (p *connPlaces) note(level slog.Level, s *sums, text string, args ...any) {
	p.mu.Lock()
	s.times++
	times := s.times
	quiet := !s.last.IsZero() && time.Since(s.last) < p.every
	if !quiet {
		s.times, s.last = 0, time.Now()
	}
	p.mu.Unlock()
	if !quiet {
		p.logger.Log(context.Background(), level, text, append(args, "times", times)...)
	}
}

// placedConn is a connection that is counted until Close.
type placedConn struct {
	net.Conn
	places *connPlaces
	from   netip.Addr
	// placed and idle are guarded by connPlaces.mu. idle is the moment of the end of the last request, or of firstRequest;
	// zero: a request is in progress, or the connection waits for its place.
	placed bool
	idle   time.Time
}

// Close implements net.Conn.
func (c *placedConn) Close() error {
	defer c.places.leave(c)
	return c.Conn.Close()
}
