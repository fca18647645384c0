package app

import (
	"crypto/tls"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"popelago/admin"
	"popelago/config"
	"popelago/console"
)

// services returns all configured services.
func (a *App) services() ([]service, error) {
	serve := map[string]func(net.Listener) error{
		"pop3": a.pop3.Serve, "pop3s": a.pop3.ServeTLS, "smtp": a.smtp.Serve, "lmtp": a.lmtp.Serve,
	}
	local, err := a.serveAdmin(serve)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{Registry: a.registry}))
	mux.HandleFunc("GET /healthz", a.serveHealth)
	mux.HandleFunc("GET /readyz", a.serveReady)
	serve["metrics"] = a.serveHTTP(httpLimits{"metrics", a.cfg.Metrics.MaxConnections, a.cfg.Metrics.MaxConnsPerAddr}, mux, nil)

	services := []service{local}
	listeners := a.cfg.Listeners()
	var all []string
	for _, l := range listeners {
		all = append(all, l.Addresses...)
	}
	for _, l := range listeners {
		for _, address := range l.Addresses {
			s := service{name: l.Name, address: address, network: config.Network(address, all), serve: serve[l.Name]}
			if l.Name == "lmtp" {
				// The mail server in front runs as a different user: the folder limits access.
				s.mode = 0o666
			}
			services = append(services, s)
		}
	}
	return services, nil
}

// serveAdmin returns the admin API on its unix socket, which only this user can open, and adds the
// configured admin API over TCP, which needs a token, and the pages, to serve.
func (a *App) serveAdmin(serve map[string]func(net.Listener) error) (local service, err error) {
	metrics, pages := admin.NewMetrics(a.registry), console.NewMetrics(a.registry)
	secret := ""
	if len(a.cfg.Admin.Listen) > 0 || len(a.cfg.UserPage.Listen) > 0 {
		if secret, err = adminToken(a.cfg); err != nil {
			return local, err
		}
	}
	open, err := a.buildAdmin(true, secret, metrics)
	if err != nil {
		return local, err
	}
	local = service{
		name: "admin-socket", address: "unix:" + a.cfg.AdminSocket(), mode: 0o600,
		serve: a.serveHTTP(httpLimits{"admin-socket", a.cfg.Admin.MaxConnections, a.cfg.Admin.MaxConnsPerAddr}, open, nil),
	}
	if len(a.cfg.Admin.Listen) == 0 && len(a.cfg.UserPage.Listen) == 0 {
		return local, nil
	}
	remote, err := a.buildAdmin(false, secret, metrics)
	if err != nil {
		return local, err
	}
	return local, a.servePages(serve, remote, secret, pages)
}

// tlsConfig returns nil without a certificate.
func (a *App) tlsConfig() *tls.Config {
	if a.certs == nil {
		return nil
	}
	return a.certs.tlsConfig()
}

// Version returns the version of this binary, as far as Go knows.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return strings.Trim(info.Main.Version, "()")
}
