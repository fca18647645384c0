package app

import "time"

// Option changes the App that New makes, beyond the configuration.
type Option func(*App)

// WithNow makes now the clock of a server, for tests of wrong clocks. now must be safe for concurrent
// use.
func WithNow(now func() time.Time) Option { return func(a *App) { a.now = now } }

// WithLocalCounted applies the limits and penalties for addresses to loopback addresses too, for tests
// of these limits.
func WithLocalCounted() Option { return func(a *App) { a.countLocal = true } }
