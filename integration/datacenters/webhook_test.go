package datacenters

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// receiver is a program that takes events.
type receiver struct {
	*httptest.Server
	down atomic.Bool

	mu     sync.Mutex
	seen   map[string]bool // by id
	events []adminclient.Event
	again  int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{seen: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// settings are the settings of a server with the webhook.
func (r *receiver) settings(t *testing.T) []string {
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

func (r *receiver) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	var body struct {
		Events []struct {
			ID    string
			Event adminclient.Event
		}
	}
	if err := json.NewDecoder(in.Body).Decode(&body); err != nil || r.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range body.Events {
		if r.seen[e.ID] {
			r.again++
			continue
		}
		r.seen[e.ID] = true
		r.events = append(r.events, e.Event)
	}
}

// of returns the events of an account in a datacenter, in the order of their first arrival.
func (r *receiver) of(a servertest.Account, datacenter string) (kinds []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Address == a.Address && e.Datacenter == datacenter {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// wants waits for the events of an account in a datacenter.
func (r *receiver) wants(t *testing.T, a servertest.Account, datacenter string, want ...string) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if got := r.of(a, datacenter); !slices.Equal(got, want) {
			return fmt.Errorf("events of %s in %s: %q, want %q", a.Address, datacenter, got, want)
		}
		return nil
	})
}

// began waits until both datacenters send to the webhook.
func began(t *testing.T, s *sitetest.Sites) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		var err error
		s.Administer(t, s.One, func(ctx context.Context, admin *adminclient.Client) error {
			list, asked := admin.Webhooks(ctx)
			if asked != nil {
				return asked
			}
			if n := len(list.Webhooks); n != 2 {
				err = fmt.Errorf("%d webhooks, want crm in two datacenters: %+v", n, list)
			}
			for _, w := range list.Webhooks {
				if !w.Began {
					err = fmt.Errorf("%s has not begun in %s: %s", w.Name, w.Datacenter, w.Error)
				}
			}
			return nil
		})
		return err
	})
}

// queued waits until a server lists so many events of an account.
func queued(t *testing.T, s *sitetest.Sites, at *servertest.Server, a servertest.Account, n int, partial bool) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		admin := at.Admin()
		defer admin.Close()
		list, err := admin.Events(servertest.Deadline(t, sitetest.Limit), adminclient.QueueQuery{Address: a.Address})
		if err == nil && (len(list.Events) != n || list.Partial != partial) {
			err = fmt.Errorf("%d events of %s, partial %v, %s; want %d, %v", len(list.Events), a.Address, list.Partial, s.Place(at), n, partial)
		}
		return err
	})
}

// TestWebhooks: a webhook gets the events of both datacenters while the line between them is cut, while the webhook
// is down, and while a server dies. No event of the queue is lost, and the events of a maildrop keep their order
// over the servers of a datacenter.
func TestWebhooks(t *testing.T) {
	r := newReceiver(t)
	settings := r.settings(t)
	s := newSites(t, settings...)
	second := s.Start(t, "dc1", settings...)
	a, b := sitetest.Owner("heard", 1), sitetest.Owner("heard-too", 2)
	began(t, s)
	s.Create(t, s.One, a)
	s.Create(t, s.One, b)
	s.Deliver(t, s.One, a, "first")
	s.Deliver(t, s.Two, a, "from-dc2")
	r.wants(t, a, "dc1", "accepted")
	r.wants(t, a, "dc2", "accepted")
	for _, at := range s.Both() {
		queued(t, s, at, a, 2, false)
	}
	s.Shows(t, second, b)
	s.Shows(t, s.Two, b)

	// The line is cut, and the webhook is down. The server that accepts the mail dies.
	r.down.Store(true)
	if err := s.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Heal("dc1", "dc2") })
	s.Deliver(t, s.Two, b, "behind-the-cut")
	queuedLocally := func(at *servertest.Server, n int) {
		t.Helper()
		queued(t, s, at, b, n, true)
	}
	queuedLocally(s.Two, 1)
	s.Deliver(t, second, b, "one")
	queuedLocally(second, 1)
	remove(t, s.One, b)
	queuedLocally(s.One, 3)
	s.Deliver(t, second, b, "two")
	queuedLocally(second, 4)
	second.Proc.Signal(syscall.SIGKILL)
	second.Proc.Wait(t, servertest.StopLimit)
	remove(t, s.One, b)
	queuedLocally(s.One, 6)

	r.down.Store(false)
	r.wants(t, b, "dc2", "accepted")
	r.wants(t, b, "dc1", "accepted", "retrieved", "removed", "accepted", "retrieved", "removed")
	if err := s.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	for _, at := range s.Both() {
		queued(t, s, at, b, 7, false)
	}

	// Events of both datacenters again, asked for in one of them.
	r.mu.Lock()
	before := r.again
	r.mu.Unlock()
	s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error {
		_, err := admin.ReplayWebhook(ctx, "crm", adminclient.Replay{})
		return err
	})
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := r.again - before; n < 9 {
			return fmt.Errorf("%d events arrived again, want 9", n)
		}
		return nil
	})
}

// remove retrieves and removes the only message of a maildrop.
func remove(t *testing.T, at *servertest.Server, a servertest.Account) {
	t.Helper()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		c, reply := at.SignIn(t, a)
		defer c.Close()
		if n := len(reply); n == 0 || reply[0] != '+' {
			return fmt.Errorf("login: %s", reply)
		}
		if reply := c.Do("RETR 1", ""); reply[0] != '+' {
			return fmt.Errorf("RETR: %s", reply)
		}
		c.ReadMultiline()
		c.Do("DELE 1", "+OK")
		c.Do("QUIT", "+OK")
		return nil
	})
}
