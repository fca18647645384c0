package wire

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"syscall"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// tcpConn is what a Conn asks of a TCP connection.
type tcpConn interface {
	net.Conn
	syscall.Conn
	SetLinger(int) error
	CloseWrite() error
}

// proxied is a TCP connection that a proxy passes on, behind the proxy's header.
type proxied struct {
	tcpConn
	rest   []byte     // received with the header
	client netip.Addr // see clientOf; invalid: the proxy speaks for itself
}

func (p *proxied) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return p.tcpConn.Read(b)
	}
	n := copy(b, p.rest)
	if p.rest = p.rest[n:]; len(p.rest) == 0 {
		p.rest = nil
	}
	return n, nil
}

// proxy reports whether a connection comes from a proxy of Config.ProxyNetworks.
func (s *Server) proxy(nc net.Conn) (tcpConn, bool) {
	c, ok := nc.(tcpConn)
	if !ok {
		return nil, false
	}
	remote := addrOf(nc)
	for _, p := range s.cfg.ProxyNetworks {
		if p.Contains(remote) {
			return c, true
		}
	}
	return nil, false
}

// addrOf is the address of the peer; invalid without TCP.
func addrOf(nc net.Conn) netip.Addr {
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// errNoHeader is the reason for a connection of a proxy that begins with anything but a header.
var errNoHeader = errors.New("the connection does not begin with a header of the PROXY protocol")

// passOn reads the header of a proxy, and returns the connection of the client. A connection that ends
// before its first octet is the check of a load balancer: ok is false, without an error.
func passOn(c tcpConn, limit time.Duration) (p *proxied, ok bool, err error) {
	c.SetReadDeadline(time.Now().Add(limit))
	defer c.SetReadDeadline(time.Time{})
	in := bufio.NewReaderSize(c, smallBuffer)
	if _, err := in.Peek(1); err != nil {
		if IsDisconnect(err) {
			return nil, false, nil
		}
		return nil, false, translate(err)
	}
	header, err := proxyproto.Read(in)
	switch {
	case errors.Is(err, proxyproto.ErrNoProxyProtocol):
		return nil, false, errNoHeader
	case err != nil:
		return nil, false, translate(err)
	}
	p = &proxied{tcpConn: c}
	if n := in.Buffered(); n > 0 {
		p.rest = make([]byte, n)
		if _, err := io.ReadFull(in, p.rest); err != nil {
			return nil, false, err
		}
	}
	if header.Command.IsProxy() || header.Version == 1 { // version 1 has no command for a proxy that speaks for itself
		p.client = clientOf(header, addrOf(c))
	}
	return p, true, nil
}

// clientOf is the client that a header names. Clients without a usable address are one client together, 0.0.0.0, and never a
// client on this machine. A client on the machine of a proxy elsewhere has the address of the proxy.
func clientOf(header *proxyproto.Header, proxy netip.Addr) netip.Addr {
	source, _, ok := header.TCPAddrs()
	if !ok {
		return netip.IPv4Unspecified()
	}
	client := source.AddrPort().Addr().Unmap().WithZone("")
	switch {
	case client.IsLoopback():
		return proxy
	case !client.IsValid() || client.IsUnspecified() || client.IsMulticast():
		return netip.IPv4Unspecified()
	}
	return client
}

// startProxied serves the connection of a proxy, after its header.
func (s *Server) startProxied(c tcpConn, begin func(net.Conn)) {
	if !s.awaitHeader(c) {
		c.Close()
		return
	}
	go func() {
		defer s.wg.Done()
		p, ok, err := passOn(c, s.cfg.HandshakeTimeout)
		stopping := s.headerCame(c)
		if ok {
			begin(p)
			return
		}
		if err != nil && !stopping { // else Shutdown has closed the connection
			s.cfg.Metrics.refused.WithLabelValues(s.cfg.Protocol, "proxy").Inc()
			newConn(c, s).LogSummed(slog.LevelWarn, "connection of a proxy refused", err)
		}
		c.Close()
	}()
}

// awaitHeader registers a connection whose header is awaited, with s.wg, unless there are MaxConns already or the server
// stops.
func (s *Server) awaitHeader(c tcpConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || len(s.headers) >= s.cfg.MaxConns {
		return false
	}
	s.headers[c] = struct{}{}
	s.wg.Add(1)
	return true
}

// headerCame undoes awaitHeader, but for s.wg, and reports whether the server stops.
func (s *Server) headerCame(c tcpConn) (stopping bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.headers, c)
	return s.stopping
}
