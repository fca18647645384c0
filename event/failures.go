package event

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds of Failures, for each window.
const (
	// FailuresEvery is the length of a window.
	FailuresEvery = 15 * time.Minute
	// MaxFailures is the number of kinds of failures that are told apart.
	MaxFailures = 100
	// MaxFailuresOfClient is the number of kinds of failures of one client that are told apart.
	MaxFailuresOfClient = 10
)

// Causes of the kind LoginFailed, as account.LoginReason names them, which has further ones.
const (
	// CauseUnknownUser: the address has no account.
	CauseUnknownUser = "unknown_user"
	// CauseHeldBack: too many logins have failed, and the password was not compared.
	CauseHeldBack = "held_back"
	// CauseSeveral is the cause of an event that stands for failures of several kinds.
	CauseSeveral = "several"
)

// Failures is a Listener that passes events on, and merges events of the kind LoginFailed: strangers who guess
// passwords cannot fill the records. Safe for concurrent use.
//
// The first failure of a kind is passed on at once. Further failures of the kind are counted, and become one event at
// the end of the window, which began with the first failure of all. A kind is the address, the client, the protocol
// and the cause; for the causes CauseUnknownUser and CauseHeldBack all addresses are one kind. Failures beyond MaxFailuresOfClient become
// one event for each client, and beyond MaxFailures one event, without an address. So a window has 3*MaxFailures+1
// events at most.
type Failures struct {
	next Listener

	mu      sync.Mutex
	kinds   map[failureKind]*failure
	clients map[netip.Addr]int // kinds of a client
	end     *time.Timer        // of the window; nil: no window
	closed  bool
}

// failureKind tells failures apart. The zero value stands for all failures beyond MaxFailures.
type failureKind struct {
	client                   netip.Addr
	address, protocol, cause string
}

// failure counts failures that were not passed on.
type failure struct {
	last     Event
	attempts int64
}

// NewFailures makes a Failures in front of another listener. Close must follow.
func NewFailures(next Listener) *Failures {
	return &Failures{next: next, kinds: map[failureKind]*failure{}, clients: map[netip.Addr]int{}}
}

// Happened implements Listener.
func (f *Failures) Happened(e Event) {
	if e.Kind != LoginFailed {
		f.next.Happened(e)
		return
	}
	e.Attempts = 1
	if f.counts(e) {
		f.next.Happened(e)
	}
}

// counts notes a failure, and reports whether the failure is passed on at once.
func (f *Failures) counts(e Event) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return true
	}
	if f.end == nil {
		f.end = time.AfterFunc(FailuresEvery, f.flush)
	}
	client := clientOf(e.Remote)
	kind := failureKind{client, e.Address, e.Protocol, e.Cause}
	if e.Cause == CauseUnknownUser || e.Cause == CauseHeldBack {
		kind.address = ""
	}
	if _, known := f.kinds[kind]; !known {
		switch {
		case len(f.kinds) < MaxFailures && f.clients[client] < MaxFailuresOfClient:
			f.kinds[kind] = &failure{}
			f.clients[client]++
			return true
		case f.clients[client] > 0:
			kind = failureKind{client: client, cause: CauseSeveral}
		default:
			kind, e.Remote = failureKind{}, netip.Addr{}
		}
		e.Cause = CauseSeveral
	}
	k := f.kinds[kind]
	if k == nil {
		k = &failure{}
		f.kinds[kind] = k
	}
	if k.attempts > 0 && k.last.Address != e.Address || e.Cause == CauseSeveral {
		e.Address = ""
	}
	k.last, k.attempts = e, k.attempts+1
	return false
}

// clientOf returns the address of a client without its port; for IPv6 its network, which a client has for itself.
func clientOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if network, err := a.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return a
}

// flush ends the window: the failures that were counted become events.
func (f *Failures) flush() {
	f.mu.Lock()
	kinds := f.kinds
	f.kinds, f.clients = map[failureKind]*failure{}, map[netip.Addr]int{}
	if f.end != nil {
		f.end.Stop()
		f.end = nil
	}
	f.mu.Unlock()
	for _, k := range kinds {
		if k.attempts > 0 {
			k.last.Attempts, k.last.Session = k.attempts, ""
			f.next.Happened(k.last)
		}
	}
}

// Close ends the window. Later failures are passed on one by one.
func (f *Failures) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.flush()
}
