package app

import (
	"log/slog"
	"time"

	"popelago/config"
)

// Option changes the App that New makes, beyond the configuration.
type Option func(*App)

// WithNow makes now the clock of a server, for tests of wrong clocks. now must be safe for concurrent
// use.
func WithNow(now func() time.Time) Option { return func(a *App) { a.now = now } }

// WithLocalCounted applies the limits and penalties for addresses to loopback addresses too, for tests
// of these limits.
func WithLocalCounted() Option { return func(a *App) { a.countLocal = true } }

// WithReload makes load the source of the configuration for App.Reload. load reads the file,
// the environment and the flags again, and checks each setting.
func WithReload(load func() (config.Config, error)) Option {
	return func(a *App) { a.reload.load = load }
}

// WithLogLevel makes level the level of the log, which App.SetLogLevel and App.Reload change.
func WithLogLevel(level *slog.LevelVar) Option { return func(a *App) { a.levels.level = level } }
