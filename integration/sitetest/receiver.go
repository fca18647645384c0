package sitetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// Receiver is a program that takes events. Safe for concurrent use.
type Receiver struct {
	*httptest.Server
	// Down makes the program answer 503.
	Down atomic.Bool

	mu      sync.Mutex
	seen    map[string]bool // by id
	events  []adminclient.Event
	again   int
	refused int
}

// NewReceiver starts a Receiver, which ends with the test.
func NewReceiver(t testing.TB) *Receiver {
	r := &Receiver{seen: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// Settings returns the settings of a server with the webhook crm.
func (r *Receiver) Settings(t testing.TB) []string {
	t.Helper()
	keys := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(keys, []byte("crm MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"events.enabled = true", `events.kinds = ["accepted", "retrieved", "removed"]`, `events.flush_every = "50ms"`, `events.retry_max = "1s"`,
		fmt.Sprintf("events.webhooks = [%q]", "crm="+r.URL), fmt.Sprintf("events.webhook_keys = %q", keys),
	}
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	var body struct {
		Events []struct {
			ID    string
			Event adminclient.Event
		}
	}
	err := json.NewDecoder(in.Body).Decode(&body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || r.Down.Load() {
		r.refused++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	for _, e := range body.Events {
		if r.seen[e.ID] {
			r.again++
			continue
		}
		r.seen[e.ID] = true
		r.events = append(r.events, e.Event)
	}
}

// Again counts the events that arrived again.
func (r *Receiver) Again() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.again
}

// Refused counts the requests that were answered with 503.
func (r *Receiver) Refused() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// Of returns the events of an account, in the order of their first arrival.
func (r *Receiver) Of(a servertest.Account) (list []adminclient.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Address == a.Address {
			list = append(list, e)
		}
	}
	return list
}

// Wants waits for the events of an account in a datacenter, in the order of their first arrival.
func (r *Receiver) Wants(t testing.TB, a servertest.Account, datacenter string, want ...string) {
	t.Helper()
	mailtest.WaitFor(t, Limit, func() error {
		var got []string
		for _, e := range r.Of(a) {
			if e.Datacenter == datacenter {
				got = append(got, e.Kind)
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("events of %s in %s: %q, want %q", a.Address, datacenter, got, want)
		}
		return nil
	})
}
