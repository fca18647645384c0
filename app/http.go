package app

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// serveHTTP adds an HTTP server to Stop, and returns a function that serves a listener, for any number
// of listeners. Beyond maxConns connections on all listeners together, further connections wait.
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

// connPlaces bounds the connections of several listeners together: each connection holds a place.
type connPlaces chan struct{}

// limit returns a listener that accepts connections of l as soon as they have a place. Each listener
// may hold one more connection, which waits for its place.
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

// placedConn frees its place at Close.
type placedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *placedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
