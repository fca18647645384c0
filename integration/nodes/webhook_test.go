package nodes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
	"popelago/store/enginetest"
)

// flow is mail for some accounts through one server, message after message.
type flow struct {
	to   []servertest.Account
	stop func()

	mu       sync.Mutex
	taken    map[servertest.Account][]string // acknowledged messages, in their order
	total    int
	deferred int // 451
}

// startFlow starts mail, which a refused server gets again until it acknowledges the message.
func startFlow(t *testing.T, s *servertest.Server, name string, accounts int) *flow {
	f := &flow{taken: map[servertest.Account][]string{}}
	for i := range accounts {
		f.to = append(f.to, sitetest.Owner(fmt.Sprint(name, "-", i), 1))
	}
	quit, done := make(chan struct{}), make(chan struct{})
	f.stop = sync.OnceFunc(func() {
		close(quit)
		<-done
	})
	t.Cleanup(f.stop)
	go func() {
		defer close(done)
		c := s.LMTPSession(t)
		defer c.Close()
		pace := time.NewTicker(10 * time.Millisecond)
		defer pace.Stop()
		for n := 0; ; {
			select {
			case <-quit:
				return
			case <-pace.C:
			}
			a, message := f.to[n%accounts], fmt.Sprintf("%s-%05d", name, n)
			switch reply := servertest.TryDeliver(t, c, true, message, []servertest.Account{a})[0]; {
			case strings.HasPrefix(reply, "250 "):
				f.took(a, message)
				n++
			case strings.HasPrefix(reply, "451 "):
				f.took(a, "")
			default:
				t.Errorf("mail for %s: %q, want 250 or 451", a.Address, reply)
				return
			}
		}
	}()
	return f
}

// took notes an acknowledged message; without a name, a message that was put off.
func (f *flow) took(a servertest.Account, message string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if message == "" {
		f.deferred++
		return
	}
	f.taken[a] = append(f.taken[a], message)
	f.total++
}

// more waits for further acknowledged messages.
func (f *flow) more(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.total
	}
	before := count()
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if got := count() - before; got < n {
			return fmt.Errorf("%d messages were acknowledged, want %d", got, n)
		}
		return nil
	})
}

// arrive waits until a webhook has the event of each message acknowledged so far, in the order of each maildrop.
// In the end no other message may have an event.
func (f *flow) arrive(t *testing.T, r *sitetest.Receiver, end bool) {
	t.Helper()
	for _, a := range f.to {
		f.mu.Lock()
		want := f.taken[a]
		f.mu.Unlock()
		mailtest.WaitFor(t, sitetest.Limit, func() error {
			got := namesOf(r, a)
			for i, name := range got[:min(len(got), len(want))] {
				if name != servertest.Sender(want[i]) {
					t.Fatalf("event %d of %s is about the message of %s, want %s", i, a.Address, name, want[i])
				}
			}
			if len(got) < len(want) || end && len(got) > len(want) {
				return fmt.Errorf("events about %d messages of %s, want %d", len(got), a.Address, len(want))
			}
			return nil
		})
	}
}

// namesOf returns the senders of the accepted messages of an account by their events, each once.
func namesOf(r *sitetest.Receiver, a servertest.Account) (names []string) {
	seen := map[string]bool{}
	for _, e := range r.Of(a) {
		if e.Kind == "accepted" && !seen[e.Sender] {
			seen[e.Sender] = true
			names = append(names, e.Sender)
		}
	}
	return names
}

// listed waits until a server lists so many events of an account in the queue.
func listed(t *testing.T, s *sitetest.Sites, at *servertest.Server, a servertest.Account, n int) {
	t.Helper()
	s.Administer(t, at, func(ctx context.Context, admin *adminclient.Client) error {
		list, err := admin.Events(ctx, adminclient.QueueQuery{Address: a.Address})
		if err == nil && len(list.Events) < n {
			err = fmt.Errorf("the queue has %d events of %s, want %d", len(list.Events), a.Address, n)
		}
		return err
	})
}

// A webhook is down, and meanwhile one of three nodes is killed and a server ends: mail flows on, no event is lost,
// and the events of a maildrop keep their order. The webhook returns while the node is away, and is down again while
// the node returns.
func TestWebhookWhileANodeIsAway(t *testing.T) {
	cfg := onTrio(t, 3)
	enginetest.Apply(t, cfg)
	enginetest.Truncate(t, cfg)
	s := &sitetest.Sites{Cluster: &sitetest.Cluster{Cluster: trio.Get(t), Keyspace: cfg.Keyspace}}
	r := sitetest.NewReceiver(t)
	settings := r.Settings(t)
	one, _, _ := s.StartClock(t, "dc1", time.Now, settings...)
	two, _, stopTwo := s.StartClock(t, "dc1", time.Now, settings...)
	s.Administer(t, one, func(ctx context.Context, admin *adminclient.Client) error {
		list, err := admin.Webhooks(ctx)
		if err == nil && (len(list.Webhooks) != 1 || !list.Webhooks[0].Began) {
			err = fmt.Errorf("the webhook has not begun: %+v", list)
		}
		return err
	})
	sitetest.Host(t, one)
	const accounts, enough = 5, 40
	moved := sitetest.Owner("moved", 1)
	s.Create(t, one, moved)
	for _, name := range []string{"one", "two"} {
		for i := range accounts {
			s.Create(t, one, sitetest.Owner(fmt.Sprint(name, "-", i), 1))
		}
	}
	first, second := startFlow(t, one, "one", accounts), startFlow(t, two, "two", accounts)
	flows := []*flow{first, second}
	for _, f := range flows {
		f.more(t, enough)
		f.arrive(t, r, false)
	}

	r.Down.Store(true)
	away := trio.Get(t).Node("dc1-3")
	away.Kill()
	t.Cleanup(func() {
		if !away.Running() {
			away.Restart(t)
		}
	})
	for _, f := range flows {
		f.more(t, enough)
	}
	s.Deliver(t, two, moved, "at-two")
	listed(t, s, one, moved, 1)
	second.stop()
	stopTwo()
	s.Deliver(t, one, moved, "at-one")
	first.more(t, enough)
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if r.Refused() == 0 {
			return errors.New("the webhook was never asked while it was down")
		}
		return nil
	})
	if n := len(r.Of(moved)); n != 0 {
		t.Errorf("%d events of %s arrived at a webhook that is down", n, moved.Address)
	}

	r.Down.Store(false)
	first.arrive(t, r, false)
	second.arrive(t, r, true)
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if got := namesOf(r, moved); len(got) < 2 {
			return fmt.Errorf("the events of %s are about %q", moved.Address, got)
		}
		return nil
	})

	r.Down.Store(true)
	first.more(t, enough)
	away.Restart(t)
	s.WaitWhole(t)
	first.more(t, enough)
	r.Down.Store(false)
	first.stop()
	first.arrive(t, r, true)
	if got := namesOf(r, moved); len(got) != 2 || got[0] != servertest.Sender("at-two") || got[1] != servertest.Sender("at-one") {
		t.Errorf("the events of %s are about %q", moved.Address, got)
	}
	for _, f := range flows {
		t.Logf("%d messages acknowledged, %d put off", f.total, f.deferred)
	}
	t.Logf("%d events arrived again, %d requests refused", r.Again(), r.Refused())
}
