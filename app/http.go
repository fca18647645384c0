package app

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// serveHTTP makes an HTTP server part of Stop, and returns what serves it on one listener; it may be
// called for several. Beyond maxConns connections on all of them, further ones wait.
func (a *App) serveHTTP(maxConns int, h http.Handler, tlsConfig *tls.Config) func(net.Listener) error {
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(a.logger.Handler(), slog.LevelWarn),
	}
	a.mu.Lock()
	a.https = append(a.https, srv)
	a.mu.Unlock()
	places := make(connPlaces, maxConns)
	if tlsConfig != nil {
		return func(l net.Listener) error { return srv.ServeTLS(places.limit(l), "", "") }
	}
	return func(l net.Listener) error { return srv.Serve(places.limit(l)) }
}

// connPlaces bounds the connections of several listeners together: each one that is served holds a
// place.
type connPlaces chan struct{}

// limit returns l with connections that are handed on when they have got a place. Each listener may
// hold one more connection, which waits for its place.
func (p connPlaces) limit(l net.Listener) net.Listener {
	return &limitedListener{Listener: l, places: p, closed: make(chan struct{})}
}

type limitedListener struct {
	net.Listener
	places connPlaces
	once   sync.Once
	closed chan struct{}
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.places <- struct{}{}:
		return &placedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
	case <-l.closed:
		c.Close()
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// placedConn gives its place back when it is closed.
type placedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *placedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
