package pop3server_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// underFakeClock runs test with a server under a fake clock, on accounts and a store outside of the
// bubble, and returns the duration of test.
func underFakeClock(t *testing.T, outside *pop3test.Fixture, cfg pop3server.Config, test func(t *testing.T, f *pop3test.Fixture)) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		test(t, outside.On(t, outside.Store, cfg))
		took = time.Since(start)
	})
	return took
}

// logIn is Fixture.LogIn for a client without timeout.
func logIn(t *testing.T, f *pop3test.Fixture) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, f.Dial(t, ""))
	c.Timeout = 0
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	return c
}

func TestIdleTimeout(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 1)
	took := underFakeClock(t, outside, pop3server.Config{}, func(t *testing.T, f *pop3test.Fixture) {
		c := logIn(t, f)
		c.Do("DELE 1", "+OK")
		time.Sleep(9 * time.Minute)
		c.Do("NOOP", "+OK")
		c.ExpectEOF() // without a response, RFC 1939 section 3
		synctest.Wait()
		if n := f.Metric(t, "popelago_pop3server_sessions_total", "result", "timeout"); n != 1 {
			t.Errorf("%v sessions timed out, want 1", n)
		}
	})
	if took != 19*time.Minute {
		t.Errorf("the session ended after %v, want 19m", took)
	}
	checkLeft(t, outside, "first")
	took = underFakeClock(t, outside, pop3server.Config{IdleTimeout: time.Hour, LoginTimeout: -1}, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		c.ExpectEOF()
	})
	if took != time.Hour {
		t.Errorf("a session without login ended after %v, want 1h", took)
	}
	took = underFakeClock(t, outside, pop3server.Config{LoginTimeout: -1}, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		c.Do("AUTH PLAIN", "+ ")
		c.ExpectEOF()
	})
	if took != 10*time.Minute {
		t.Errorf("a session in AUTH ended after %v, want 10m", took)
	}
}

// A client that receives a message too slowly loses the connection, and no message.
func TestWriteTimeout(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.Add(t, outside.Alice, strings.Repeat(strings.Repeat("x", 998)+"\r\n", 200), "big")
	took := underFakeClock(t, outside, pop3server.Config{WriteTimeout: 3 * time.Minute}, func(t *testing.T, f *pop3test.Fixture) {
		c := logIn(t, f)
		c.Do("RETR 1", "+OK")
		time.Sleep(time.Hour)
		if rest, err := c.TryMultiline(); err == nil {
			t.Errorf("a whole text of %d octets, after an hour", len(rest))
		}
		synctest.Wait()
		if n := f.Metric(t, "popelago_pop3server_sessions_total", "result", "timeout"); n != 1 {
			t.Errorf("%v sessions timed out, want 1", n)
		}
	})
	if took != time.Hour {
		t.Errorf("took %v", took)
	}
	checkLeft(t, outside, "big")
}

func TestHandshakeTimeout(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, true)
	cfg := pop3server.Config{TLS: outside.TLS.Server, HandshakeTimeout: 20 * time.Second}
	took := underFakeClock(t, outside, cfg, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		c.Do("STLS", "+OK")
		if rest, _ := io.ReadAll(c.Conn()); len(rest) > 0 {
			t.Errorf("the server says %q", rest)
		}
	})
	if took != 20*time.Second {
		t.Errorf("took %v, want 20s", took)
	}
}

func TestFailedLoginsAreDelayed(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	var delays []time.Duration
	underFakeClock(t, outside, pop3server.Config{}, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		for range 8 {
			start := time.Now()
			c.Do("USER alice", "+OK")
			c.Do("PASS wrong", "-ERR [AUTH]")
			delays = append(delays, time.Since(start))
		}
		c.ExpectEOF()
	})
	const ms = time.Millisecond
	want := []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 3200 * ms, 3200 * ms, 3200 * ms}
	for i, d := range delays {
		if d != want[i] {
			t.Errorf("failed login %d was answered after %v, want %v", i+1, d, want[i])
		}
	}
}

func TestLoginDelay(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	underFakeClock(t, outside, pop3server.Config{LoginDelay: time.Minute}, func(t *testing.T, f *pop3test.Fixture) {
		logIn(t, f).Do("QUIT", "+OK")
		try := func(user, want string) {
			t.Helper()
			c := mailtest.NewClient(t, f.Dial(t, ""))
			c.Timeout = 0
			c.Expect("+OK")
			c.Do("USER "+user, "+OK")
			c.Do("PASS "+pop3test.Password, want)
			c.Do("QUIT", "+OK")
		}
		time.Sleep(59 * time.Second)
		try("alice", "-ERR [LOGIN-DELAY]")
		try("bob", "+OK")
		time.Sleep(time.Second)
		try("alice", "+OK") // refused logins do not count
		try("alice", "-ERR [LOGIN-DELAY]")
	})
}
