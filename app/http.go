package app

import (
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// httpLimits bounds the connections on all listeners of an HTTP server together.
type httpLimits struct {
	name          string // in the log
	most, perAddr int
}

// serveHTTP adds an HTTP server to Stop, and returns a function that serves a listener, for any number
// of listeners. Beyond limits.most connections further connections wait, and beyond limits.perAddr of one
// address they are refused, see connPlaces.
func (a *App) serveHTTP(limits httpLimits, h http.Handler, tlsConfig *tls.Config) func(net.Listener) error {
	srv := &http.Server{
		Handler:           answering(h),
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      answerTime,
		IdleTimeout:       2 * time.Minute,
	}
	a.mu.Lock()
	a.https = append(a.https, srv)
	a.mu.Unlock()
	places := newConnPlaces(limits.most, limits.perAddr, a.cfg.Log.SummaryEvery, a.logger.With("protocol", limits.name))
	srv.ConnState = places.state
	srv.ErrorLog = log.New(httpErrors{places}, "", 0)
	if tlsConfig != nil {
		return func(l net.Listener) error { return srv.ServeTLS(places.limit(l), "", "") }
	}
	return func(l net.Listener) error { return srv.Serve(places.limit(l)) }
}

// httpErrors receives the log lines of net/http, one for each Write. Strangers can cause any number of failed TLS handshakes and
// of broken connections.
type httpErrors struct{ places *connPlaces }

// Write implements io.Writer.
func (e httpErrors) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	p := e.places
	handshake, isHandshake := strings.CutPrefix(text, "http: TLS handshake error from ")
	switch {
	case isHandshake:
		remote, cause, _ := strings.Cut(handshake, ": ")
		p.note(slog.LevelInfo, &p.handshakes, "TLS handshake failed", "remote", remote, "cause", cause)
	case strings.HasPrefix(text, "http: panic"), strings.HasPrefix(text, "http: Accept error"):
		p.logger.Warn(text)
	default:
		p.note(slog.LevelWarn, &p.faults, "HTTP connection failed", "cause", text)
	}
	return len(line), nil
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
