package account

import (
	"net/netip"
	"time"
)

// HeldBack returns the time for which a login with a name from a remote address would wait for the
// penalty of failed logins; zero: none. refused: the login would not wait, but fail with ErrTooManyFailures.
// Nothing is counted.
func (d *Directory) HeldBack(name string, remote netip.Addr) (wait time.Duration, refused bool) {
	from, now := d.client(remote), d.cfg.Now()
	if a, ok := d.LoginAddress(name); ok {
		name = a.String()
	}
	account := loginKey(d.penalties.seed, name)
	if !from.counted() || d.penalties.off() {
		return 0, false
	}
	_, known := d.penalties.lastLogin(from, account, now)
	wait = d.penalties.longest(from, account, known, now)
	return wait, wait > longestHold
}

// longest returns the time until a login may be checked; zero: at once.
func (p *penalties) longest(from client, account uint64, known bool, now time.Time) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.places(from, account, known) {
		wait = max(wait, p.wait(l, now.UnixNano()))
	}
	return wait
}
