package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"popelago/admin"
	"popelago/adminclient"
	"popelago/config"
)

// reload holds what a reload of the configuration needs.
type reload struct {
	// load reads the configuration of the server again; nil: there is none to read.
	load func() (config.Config, error)

	mu sync.Mutex // held for a whole reload: two at once take turns
	// inForce is the configuration with all settings that reloads have changed. Guarded by shown.
	inForce config.Config
	shown   sync.Mutex
}

// swap is a setting that a running server can change.
type swap struct {
	key string
	// copy takes the setting from another configuration.
	copy func(to, from *config.Config)
}

// swaps returns the settings that a running server can change.
func swaps() []swap {
	type c = config.Config
	return []swap{
		{"drain_delay", func(to, from *c) { to.DrainDelay = from.DrainDelay }},
		{"drain_timeout", func(to, from *c) { to.DrainTimeout = from.DrainTimeout }},
		{"pop3.max_connections", func(to, from *c) { to.POP3.MaxConns = from.POP3.MaxConns }},
		{"pop3.max_connections_per_address", func(to, from *c) { to.POP3.MaxConnsPerAddr = from.POP3.MaxConnsPerAddr }},
		{"smtp.max_connections", func(to, from *c) { to.SMTP.MaxConns = from.SMTP.MaxConns }},
		{"smtp.max_connections_per_address", func(to, from *c) { to.SMTP.MaxConnsPerAddr = from.SMTP.MaxConnsPerAddr }},
		{"lmtp.max_connections", func(to, from *c) { to.LMTP.MaxConns = from.LMTP.MaxConns }},
		{"lmtp.max_connections_per_address", func(to, from *c) { to.LMTP.MaxConnsPerAddr = from.LMTP.MaxConnsPerAddr }},
		{"tls.certificate", func(to, from *c) { to.TLS.Certificate = from.TLS.Certificate }},
		{"tls.key", func(to, from *c) { to.TLS.Key = from.TLS.Key }},
		{"auth.penalty_after", func(to, from *c) { to.Auth.PenaltyAfter = from.Auth.PenaltyAfter }},
		{"auth.penalty_max", func(to, from *c) { to.Auth.PenaltyMax = from.Auth.PenaltyMax }},
		{"auth.penalty_half_life", func(to, from *c) { to.Auth.PenaltyHalfLife = from.Auth.PenaltyHalfLife }},
		{"auth.known_for", func(to, from *c) { to.Auth.KnownFor = from.Auth.KnownFor }},
		{"log.level", func(to, from *c) { to.Log.Level = from.Log.Level }},
	}
}

// Reload reads the configuration again, and changes the settings that a running server can change. Any
// mistake, in the file or in a file that the settings name, leaves all settings as they are. The
// certificate is read again in every case.
//
// Errors: admin.ErrReload.
func (a *App) Reload(context.Context) (adminclient.Reload, error) {
	r := &a.reload
	r.mu.Lock()
	defer r.mu.Unlock()
	defer a.ReloadCertificate()
	next, err := a.loadAgain()
	if err != nil {
		a.logger.Error("configuration not reloaded, the settings in force stay", "cause", err)
		return adminclient.Reload{}, fmt.Errorf("%w: %w", admin.ErrReload, err)
	}
	r.shown.Lock()
	changed := config.Differences(&r.inForce, &next)
	merged := r.inForce.Clone()
	r.shown.Unlock()

	out := adminclient.Reload{Applied: []string{}, Restart: []string{}}
	for _, s := range swaps() {
		if slices.Contains(changed, s.key) && a.canSwap(s.key, &next) {
			merged.Adopt(&next, s.key, s.copy)
			out.Applied = append(out.Applied, s.key)
		}
	}
	for _, key := range changed {
		if !slices.Contains(out.Applied, key) {
			out.Restart = append(out.Restart, key)
		}
	}
	if err := a.apply(&merged); err != nil {
		a.logger.Error("configuration not reloaded, the settings in force stay", "cause", err)
		return adminclient.Reload{}, fmt.Errorf("%w: %w", admin.ErrReload, err)
	}
	r.shown.Lock()
	r.inForce = merged
	r.shown.Unlock()
	a.logger.Info("configuration reloaded", "applied", strings.Join(out.Applied, ","), "needs_restart", strings.Join(out.Restart, ","))
	return out, nil
}

// loadAgain reads the configuration and checks it as a start would.
func (a *App) loadAgain() (config.Config, error) {
	if a.reload.load == nil {
		return config.Config{}, fmt.Errorf("this server was started without a configuration to read again")
	}
	next, err := a.reload.load()
	if err != nil {
		return next, err
	}
	if err := next.Validate(); err != nil {
		return next, err
	}
	if err := Check(next); err != nil {
		return next, err
	}
	next.Hostname, err = hostName(next) // as New does
	return next, err
}

// canSwap reports whether this server can change a setting while it runs: a server that began without
// certificate files has no use for others, and a server with certificate files serves their certificate until it stops.
func (a *App) canSwap(key string, next *config.Config) bool {
	if key == "tls.certificate" || key == "tls.key" {
		return a.certs != nil && a.reload.inForce.TLS.Certificate != "" && next.TLS.Certificate != ""
	}
	return true
}

// apply puts the settings of swaps into force. The only step that can fail comes first.
func (a *App) apply(c *config.Config) error {
	if a.certs != nil && c.TLS.Certificate != "" {
		if err := a.certs.swap(c.TLS.Certificate, c.TLS.Key); err != nil {
			return err
		}
	}
	a.pop3.SetLimits(c.POP3.MaxConns, c.POP3.MaxConnsPerAddr)
	a.smtp.SetLimits(c.SMTP.MaxConns, c.SMTP.MaxConnsPerAddr)
	a.lmtp.SetLimits(c.LMTP.MaxConns, c.LMTP.MaxConnsPerAddr)
	a.directory.SetPenalties(c.Auth.Config)
	a.drain.set(c.DrainDelay, c.DrainTimeout)
	a.levels.configure(c.Log.Level)
	return nil
}

// Settings returns the settings in force.
func (a *App) Settings() []adminclient.Setting {
	a.reload.shown.Lock()
	values := a.reload.inForce.Values()
	a.reload.shown.Unlock()
	out := make([]adminclient.Setting, len(values))
	for i, v := range values {
		out[i] = adminclient.Setting{Key: v.Key, Value: v.Text, Default: v.Default, Origin: v.Origin}
	}
	return out
}
