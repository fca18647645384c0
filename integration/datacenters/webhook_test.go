package datacenters

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

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
	r := sitetest.NewReceiver(t)
	settings := r.Settings(t)
	s := newSites(t, settings...)
	second := s.Start(t, "dc1", settings...)
	a, b := sitetest.Owner("heard", 1), sitetest.Owner("heard-too", 2)
	began(t, s)
	s.Create(t, s.One, a)
	s.Create(t, s.One, b)
	s.Deliver(t, s.One, a, "first")
	s.Deliver(t, s.Two, a, "from-dc2")
	r.Wants(t, a, "dc1", "accepted")
	r.Wants(t, a, "dc2", "accepted")
	for _, at := range s.Both() {
		queued(t, s, at, a, 2, false)
	}
	s.Shows(t, second, b)
	s.Shows(t, s.Two, b)

	// The line is cut, and the webhook is down. The server that accepts the mail dies.
	r.Down.Store(true)
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

	r.Down.Store(false)
	r.Wants(t, b, "dc2", "accepted")
	r.Wants(t, b, "dc1", "accepted", "retrieved", "removed", "accepted", "retrieved", "removed")
	if err := s.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	s.WaitWhole(t)
	for _, at := range s.Both() {
		queued(t, s, at, b, 7, false)
	}

	// Events of both datacenters again, asked for in one of them.
	before := r.Again()
	s.Administer(t, s.Two, func(ctx context.Context, admin *adminclient.Client) error {
		_, err := admin.ReplayWebhook(ctx, "crm", adminclient.Replay{})
		return err
	})
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if n := r.Again() - before; n < 9 {
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
