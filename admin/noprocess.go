package admin

import (
	"context"
	"fmt"
	"time"

	"popelago/adminclient"
)

// noProcess stands for a server that cannot be controlled, as in tests of the API alone.
type noProcess struct{ version string }

// Service implements Process.
func (p noProcess) Service() adminclient.Service {
	return adminclient.Service{State: adminclient.Serving, Version: p.version, Now: time.Now()}
}

// Load implements Process.
func (noProcess) Load() *adminclient.Load { return nil }

// Sessions implements Process.
func (noProcess) Sessions() []adminclient.Session { return nil }

// EndSession implements Process.
func (noProcess) EndSession(string) bool { return false }

// RcptReply implements Replies.
func (noProcess) RcptReply(err error) string { return fmt.Sprint(err) }

// TextReply implements Replies.
func (noProcess) TextReply(err error) string { return fmt.Sprint(err) }

// LoginReply implements Replies.
func (noProcess) LoginReply(err error) string { return fmt.Sprint(err) }

// ClearReply implements Replies.
func (noProcess) ClearReply() string { return "" }

// MayLogIn implements Replies.
func (noProcess) MayLogIn(tls, local bool) bool { return tls || local }

// Drain implements Process.
func (noProcess) Drain() {}

// Undrain implements Process.
func (noProcess) Undrain() {}

// Settings implements Process.
func (noProcess) Settings() []adminclient.Setting { return nil }

// Reload implements Process.
func (noProcess) Reload(context.Context) (adminclient.Reload, error) {
	return adminclient.Reload{}, fmt.Errorf("%w: there is no configuration", ErrReload)
}

// LogLevel implements Process.
func (noProcess) LogLevel() adminclient.LogLevel { return adminclient.LogLevel{} }

// SetLogLevel implements Process.
func (noProcess) SetLogLevel(string, time.Duration) (adminclient.LogLevel, error) {
	return adminclient.LogLevel{}, ErrNoLogLevel
}
