package app

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// httpService makes an HTTP server part of Start and Stop. Beyond maxConns connections, further
// ones wait.
func (a *App) httpService(name, address string, maxConns int, h http.Handler, tlsConfig *tls.Config) service {
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
	serve := func(l net.Listener) error { return srv.Serve(netutil.LimitListener(l, maxConns)) }
	if tlsConfig != nil {
		serve = func(l net.Listener) error { return srv.ServeTLS(netutil.LimitListener(l, maxConns), "", "") }
	}
	return service{name: name, address: address, mode: 0o600, serve: serve}
}
