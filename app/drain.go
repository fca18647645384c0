package app

import (
	"sync"
	"time"

	"popelago/adminclient"
	"popelago/wire"
)

// drain takes a server out of service without ending it. The server is not ready from the start of a
// drain on. After Config.DrainDelay, in which a load balancer notices, the server refuses new
// connections. Sessions end by themselves, or after Config.DrainTimeout.
type drain struct {
	mu       sync.Mutex
	since    time.Time // zero: in service
	refusing bool
	timers   []*time.Timer
	// delay and timeout are Config.DrainDelay and Config.DrainTimeout.
	delay, timeout time.Duration
}

// set changes the times of the next drain.
func (d *drain) set(delay, timeout time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay, d.timeout = delay, timeout
}

// draining reports whether a drain has begun.
func (d *drain) draining() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.since.IsZero()
}

// protocolServer is a server of one protocol: its sessions, and its drain.
type protocolServer interface {
	Drain(on bool)
	EndSessions()
	Sessions() int
	OpenSessions() []wire.Session
	EndSession(id string) bool
}

func (a *App) protocols() []protocolServer { return []protocolServer{a.pop3, a.smtp, a.lmtp} }

// Drain begins to take the server out of service. Draining again changes nothing. A restart ends the
// drain.
func (a *App) Drain() {
	d := &a.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.since.IsZero() {
		return
	}
	d.since = a.now()
	a.logger.Warn("the server is taken out of service", "refuses_after", d.delay, "ends_sessions_after", d.timeout)
	since := d.since
	d.timers = []*time.Timer{
		time.AfterFunc(d.delay, func() { a.whileDraining(since, a.refuse) }),
		time.AfterFunc(d.delay+d.timeout, func() { a.whileDraining(since, a.endSessions) }),
	}
}

// whileDraining calls do if the drain that began at a moment is still in force.
func (a *App) whileDraining(since time.Time, do func()) {
	a.drain.mu.Lock()
	defer a.drain.mu.Unlock()
	if a.drain.since.Equal(since) {
		do()
	}
}

// refuse refuses new connections. a.drain.mu is held.
func (a *App) refuse() {
	a.drain.refusing = true
	for _, s := range a.protocols() {
		s.Drain(true)
	}
	a.logger.Info("new connections are refused: the server is out of service")
}

// endSessions ends the sessions that are left.
func (a *App) endSessions() {
	a.logger.Info("sessions are ended: the server is out of service", "sessions", a.sessions())
	for _, s := range a.protocols() {
		s.EndSessions()
	}
}

// Undrain puts the server back into service. Sessions that were told to end stay ended.
func (a *App) Undrain() {
	d := &a.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.since.IsZero() {
		return
	}
	for _, t := range d.timers {
		t.Stop()
	}
	d.since, d.refusing, d.timers = time.Time{}, false, nil
	for _, s := range a.protocols() {
		s.Drain(false)
	}
	a.logger.Info("the server is back in service")
}

// stopDrain ends the timers, for Stop.
func (a *App) stopDrain() {
	a.drain.mu.Lock()
	defer a.drain.mu.Unlock()
	for _, t := range a.drain.timers {
		t.Stop()
	}
}

func (a *App) sessions() (n int) {
	for _, s := range a.protocols() {
		n += s.Sessions()
	}
	return n
}

// Service returns the state of the server without its load, for the administration API and load balancers.
func (a *App) Service() adminclient.Service {
	d := &a.drain
	d.mu.Lock()
	defer d.mu.Unlock()
	s := adminclient.Service{
		State: adminclient.Serving, Version: Version(), Hostname: a.cfg.Hostname, Sessions: a.sessions(),
		Server: a.engine.name, Datacenter: a.engine.datacenter, Now: a.now().UTC(), ConfigVersion: a.cfg.ConfigVersion,
	}
	if !d.since.IsZero() {
		since := d.since.UTC()
		s.State, s.Since = adminclient.Draining, &since
		if d.refusing && s.Sessions == 0 {
			s.State = adminclient.Drained
		}
	}
	return s
}
