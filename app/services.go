package app

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"popelago/admin"
	"popelago/config"
)

// services are all that is configured to listen.
func (a *App) services() ([]service, error) {
	all := []service{
		{"pop3", a.cfg.POP3.Listen, 0, a.pop3.Serve},
		{"pop3s", a.cfg.POP3S.Listen, 0, a.pop3.ServeTLS},
		{"smtp", a.cfg.SMTP.Listen, 0, a.smtp.Serve},
		// The mail server in front runs as another user: the folder says who may connect.
		{"lmtp", a.cfg.LMTP.Listen, 0o666, a.lmtp.Serve},
	}
	admin, err := a.adminServices()
	if err != nil {
		return nil, err
	}
	all = append(all, admin...)
	if address := a.cfg.Metrics.Listen; address != "" {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry}))
		all = append(all, a.httpService("metrics", address, a.cfg.Metrics.MaxConnections, mux, nil))
	}
	on := all[:0]
	for _, s := range all {
		if s.address != "" {
			on = append(on, s)
		}
	}
	return on, nil
}

// adminServices are the admin API on its unix socket, which only this user can open, and over
// TCP if that is configured, where a token is asked for.
func (a *App) adminServices() ([]service, error) {
	metrics := admin.NewMetrics(a.registry)
	local, err := a.buildAdmin("", metrics)
	if err != nil {
		return nil, err
	}
	all := []service{a.httpService("admin-socket", "unix:"+a.cfg.AdminSocket(), a.cfg.Admin.MaxConnections, local, nil)}
	if a.cfg.Admin.Listen == "" {
		return all, nil
	}
	token, err := config.ReadToken(a.cfg.Admin.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("admin.token_file: %w", err)
	}
	remote, err := a.buildAdmin(token, metrics)
	if err != nil {
		return nil, err
	}
	return append(all, a.httpService("admin", a.cfg.Admin.Listen, a.cfg.Admin.MaxConnections, remote, a.tlsConfig())), nil
}

// tlsConfig is nil without a certificate.
func (a *App) tlsConfig() *tls.Config {
	if a.certs == nil {
		return nil
	}
	return a.certs.tlsConfig()
}

// Version is the version this binary was built from, as far as Go knows.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return strings.Trim(info.Main.Version, "()")
}
