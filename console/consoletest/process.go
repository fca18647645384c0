package consoletest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"popelago/adminclient"
)

// Process stands for the server itself, with sessions that a test makes up.
type Process struct {
	Name string

	mu       sync.Mutex
	sessions []adminclient.Session
	state    string
	accepted int64
}

// NewProcess makes a server in service.
func NewProcess(name string, sessions ...adminclient.Session) *Process {
	return &Process{Name: name, sessions: sessions, state: adminclient.Serving}
}

// Accept counts accepted messages.
func (p *Process) Accept(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted += n
}

// Service implements admin.Process.
func (p *Process) Service() adminclient.Service {
	p.mu.Lock()
	defer p.mu.Unlock()
	return adminclient.Service{
		State: p.state, Version: "v9", Hostname: p.Name + ".example.test", Server: p.Name, Datacenter: "dc1", Now: time.Now(), Sessions: len(p.sessions),
	}
}

// Load implements admin.Process.
func (p *Process) Load() *adminclient.Load {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &adminclient.Load{Sessions: map[string]int{"pop3": len(p.sessions)}, Accepted: p.accepted, HeapOctets: 32 << 20}
}

// Sessions implements admin.Process.
func (p *Process) Sessions() []adminclient.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sessions)
}

// EndSession implements admin.Process.
func (p *Process) EndSession(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := len(p.sessions)
	p.sessions = slices.DeleteFunc(p.sessions, func(s adminclient.Session) bool { return s.ID == id })
	return len(p.sessions) < before
}

// Drain implements admin.Process.
func (p *Process) Drain() { p.set(adminclient.Draining) }

// Undrain implements admin.Process.
func (p *Process) Undrain() { p.set(adminclient.Serving) }

func (p *Process) set(state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = state
}

// Settings implements admin.Process.
func (p *Process) Settings() []adminclient.Setting { return nil }

// Reload implements admin.Process.
func (p *Process) Reload(context.Context) (adminclient.Reload, error) {
	return adminclient.Reload{}, errors.New("there is no configuration")
}

// LogLevel implements admin.Process.
func (p *Process) LogLevel() adminclient.LogLevel { return adminclient.LogLevel{} }

// SetLogLevel implements admin.Process.
func (p *Process) SetLogLevel(string, time.Duration) (adminclient.LogLevel, error) {
	return adminclient.LogLevel{}, errors.New("there is no log")
}

// RcptReply implements admin.Replies.
func (p *Process) RcptReply(err error) string { return fmt.Sprint(err) }

// TextReply implements admin.Replies.
func (p *Process) TextReply(err error) string { return fmt.Sprint(err) }

// LoginReply implements admin.Replies.
func (p *Process) LoginReply(err error) string { return fmt.Sprint(err) }

// ClearReply implements admin.Replies.
func (p *Process) ClearReply() string { return "" }

// MayLogIn implements admin.Replies.
func (p *Process) MayLogIn(tls, local bool) bool { return tls || local }
