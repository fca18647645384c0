package app_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mailtest"
)

// wantState waits for a state of the server.
func wantState(t *testing.T, c *adminclient.Client, state string) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		s, err := c.Service(t.Context())
		if err == nil && s.State != state {
			err = errors.New("the server is " + s.State + ", not " + state)
		}
		return err
	})
}

// A drained server is not ready at once, refuses new connections later, and lets sessions end by
// themselves.
func TestDrain(t *testing.T) {
	cfg := devConfig(t)
	cfg.DrainDelay, cfg.DrainTimeout = 0, time.Hour
	a := start(t, cfg)
	addAlice(t, a)
	admin := adminclient.Unix(cfg.AdminSocket())
	defer admin.Close()
	addrs := a.Addrs()
	ready := func() int {
		resp, err := http.Get("http://" + addrs["metrics"][0].String() + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if _, err := admin.Ready(t.Context()); err != nil || ready() != http.StatusOK {
		t.Errorf("at first: %v, %d", err, ready())
	}
	session := mailtest.Dial(t, addrs["pop3"][0].String())
	session.Expect("+OK")
	busy := beginText(t, a)

	for range 2 {
		if _, err := admin.Drain(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	var refused *adminclient.Error
	if _, err := admin.Ready(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable || ready() != http.StatusServiceUnavailable {
		t.Errorf("drained: %v, %d", err, ready())
	}
	if _, err := admin.Health(t.Context()); err != nil {
		t.Errorf("a drained server is healthy: %v", err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		c := mailtest.Dial(t, addrs["pop3"][0].String())
		if line := c.Line(); line != "-ERR [SYS/TEMP] server is shutting down" {
			return errors.New("a new connection got " + line)
		}
		return nil
	})
	for _, service := range []string{"smtp", "lmtp"} {
		c := mailtest.Dial(t, addrs[service][0].String())
		c.Expect("421 4.3.2")
		c.ExpectEOF()
	}
	wantState(t, admin, adminclient.Draining)

	// Sessions go on.
	busy.Send("Subject: x\r\n\r\n.\r\n")
	busy.Expect("250")
	busy.Do("QUIT", "221")
	session.Do("USER alice@example.test", "+OK")
	session.Do("QUIT", "+OK")
	wantState(t, admin, adminclient.Drained)

	if _, err := admin.Drain(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if ready() != http.StatusOK {
		t.Error("not ready after the drain")
	}
	mailtest.Dial(t, addrs["pop3"][0].String()).Expect("+OK")
}

// After its time a drain ends the sessions that are left, between two commands.
func TestDrainEndsSessions(t *testing.T) {
	cfg := devConfig(t)
	cfg.DrainDelay, cfg.DrainTimeout = 0, time.Millisecond
	a := start(t, cfg)
	addAlice(t, a)
	admin := adminclient.Unix(cfg.AdminSocket())
	defer admin.Close()
	session := mailtest.Dial(t, a.Addrs()["pop3"][0].String())
	session.Expect("+OK")
	busy := beginText(t, a)
	if _, err := admin.Drain(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	session.Expect("-ERR [SYS/TEMP]")
	session.ExpectEOF()
	busy.Send("Subject: x\r\n\r\n.\r\n")
	busy.Expect("250") // a text in progress is taken
	busy.Expect("421")
	wantState(t, admin, adminclient.Drained)
}

// A drain that was undone in its delay refuses nobody.
func TestUndrainInTheDelay(t *testing.T) {
	cfg := devConfig(t)
	cfg.DrainDelay = time.Hour
	a := start(t, cfg)
	a.Drain()
	a.Undrain()
	a.Drain()
	mailtest.Dial(t, a.Addrs()["pop3"][0].String()).Expect("+OK")
	if s := a.Service(); s.State != adminclient.Draining {
		t.Errorf("%+v", s)
	}
	a.Undrain()
	if s := a.Service(); s.State != adminclient.Serving {
		t.Errorf("%+v", s)
	}
}
