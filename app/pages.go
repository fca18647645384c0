package app

import (
	"net"
	"net/http"
	"strings"

	"popelago/console"
)

// servePages adds the admin API over TCP with the console, and the pages for users, to serve. secret is the
// token of the configuration.
func (a *App) servePages(serve map[string]func(net.Listener) error, api http.Handler, secret string, metrics *console.Metrics) error {
	cfg := a.cfg.Admin.ConsoleConfig
	cfg.Secret, cfg.Background, cfg.Logger, cfg.Now, cfg.Metrics = secret, a.background, a.logger, a.now, metrics
	handler := api
	if a.cfg.Admin.Console {
		pages, err := console.New(cfg, api)
		if err != nil {
			return err
		}
		handler = withConsole(api, pages)
	}
	serve["admin"] = a.serveHTTP(httpLimits{"admin", a.cfg.Admin.MaxConnections, a.cfg.Admin.MaxConnsPerAddr}, handler, a.tlsConfig())
	cfg.Session = a.cfg.UserPage.Session
	users, err := console.NewUserPages(cfg, api)
	if err != nil {
		return err
	}
	serve["userpage"] = a.serveHTTP(httpLimits{"userpage", a.cfg.UserPage.MaxConnections, a.cfg.UserPage.MaxConnsPerAddr}, users, a.tlsConfig())
	return nil
}

// withConsole returns the admin API with the console below its root.
func withConsole(api, pages http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, console.Root) || r.URL.Path+"/" == console.Root {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
