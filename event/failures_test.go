package event

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// list collects events.
type list struct {
	mu     sync.Mutex
	events []Event
}

func (l *list) Happened(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take returns the events since the last call: address, client, cause, attempts; sorted.
func (l *list) take() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		all = append(all, fmt.Sprintf("%s %s %s %d", e.Address, e.Remote, e.Cause, e.Attempts))
	}
	l.events = nil
	slices.Sort(all)
	return all
}

// failed is a failed login.
func failed(address, remote, cause string) Event {
	return Event{Kind: LoginFailed, Address: address, Remote: netip.MustParseAddr(remote), Protocol: "POP3", Cause: cause}
}

// The first failure of a kind is there at once, and the others are counted, window after window.
func TestFailuresAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l list
		f := NewFailures(&l)
		expect := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := l.take(); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		for range 5 {
			f.Happened(failed("alice@a.test", "192.0.2.1", "wrong_password"))
		}
		f.Happened(failed("alice@a.test", "192.0.2.2", "wrong_password"))
		f.Happened(failed("alice@a.test", "192.0.2.1", "disabled"))
		for i := range 7 {
			f.Happened(failed(fmt.Sprintf("nobody%d@a.test", i), "192.0.2.1", CauseUnknownUser))
		}
		f.Happened(Event{Kind: LoggedIn, Address: "alice@a.test"})
		expect("at once", "alice@a.test 192.0.2.1 disabled 1", "alice@a.test 192.0.2.1 wrong_password 1", "alice@a.test 192.0.2.2 wrong_password 1",
			"alice@a.test invalid IP  0", "nobody0@a.test 192.0.2.1 unknown_user 1")
		time.Sleep(FailuresEvery)
		expect("after the window", " 192.0.2.1 unknown_user 6", "alice@a.test 192.0.2.1 wrong_password 4")
		f.Happened(failed("alice@a.test", "192.0.2.1", "wrong_password"))
		f.Happened(failed("alice@a.test", "192.0.2.1", "wrong_password"))
		expect("in the next window", "alice@a.test 192.0.2.1 wrong_password 1")
		f.Close()
		expect("at the end", "alice@a.test 192.0.2.1 wrong_password 1")
		time.Sleep(2 * FailuresEvery)
		expect("later")
		f.Happened(failed("alice@a.test", "192.0.2.1", "wrong_password"))
		expect("after the end", "alice@a.test 192.0.2.1 wrong_password 1")
	})
}

// However many strangers guess, a window has a bounded number of events, and counts each failure.
func TestFailuresAreBounded(t *testing.T) {
	var l list
	f := NewFailures(&l)
	n := 0
	for client := range 500 {
		for account := range 40 {
			f.Happened(failed(fmt.Sprintf("user%d@a.test", account), fmt.Sprintf("192.0.%d.%d", client/250, client%250), "wrong_password"))
			f.Happened(failed(fmt.Sprintf("user%d@a.test", account), fmt.Sprintf("2001:db8::%x:%x", client, account+1), "wrong_password")) // one network
			n += 2
		}
	}
	f.Close()
	sum, clients := 0, map[netip.Addr]int{}
	for _, e := range l.events {
		sum += int(e.Attempts)
		clients[clientOf(e.Remote)]++
	}
	if len(l.events) > 3*MaxFailures+1 || sum != n {
		t.Errorf("%d events count %d failures, want %d in at most %d", len(l.events), sum, n, 3*MaxFailures+1)
	}
	for client, events := range clients {
		if events > 2*MaxFailuresOfClient+1 {
			t.Errorf("%d events about %s", events, client)
		}
	}
}
