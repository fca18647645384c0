package app

import "time"

// Option changes what New makes, beyond what the configuration can say.
type Option func(*App)

// WithNow makes a server tell the time by now, in all that it stores and decides. It is for
// tests of clocks that are wrong. now must be safe for concurrent use.
func WithNow(now func() time.Time) Option { return func(a *App) { a.now = now } }

// WithLocalCounted makes the limits and penalties for addresses apply to loopback addresses too.
// It is for tests of these limits.
func WithLocalCounted() Option { return func(a *App) { a.countLocal = true } }
