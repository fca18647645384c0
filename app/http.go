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
		Handler:           answering(h),
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      answerTime,
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

// answerTime bounds the time in which a client takes an answer.
const answerTime = 5 * time.Minute

// answering gives a client answerTime from the begin of the answer: http.Server counts WriteTimeout from the request, so
// that a client would miss the answer of an operation that takes longer, and repeat the operation. In HTTP/2 WriteTimeout
// ends the request, unless the operation sets a deadline of its own.
func answering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &timedAnswer{ResponseWriter: w, control: http.NewResponseController(w)}
		next.ServeHTTP(a, r)
		a.begin() // an answer without a text
	})
}

// timedAnswer sets the write deadline at the begin of an answer.
type timedAnswer struct {
	http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (a *timedAnswer) begin() {
	if !a.begun {
		a.begun = true
		_ = a.control.SetWriteDeadline(time.Now().Add(answerTime)) // an error: there are no limits
	}
}

// WriteHeader implements http.ResponseWriter.
func (a *timedAnswer) WriteHeader(status int) {
	a.begin()
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *timedAnswer) Write(p []byte) (int, error) {
	a.begin()
	return a.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (a *timedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

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
