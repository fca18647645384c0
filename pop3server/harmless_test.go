package pop3server_test

import (
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

func TestHarmlessCommands(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 1)
	cfg := pop3server.Config{MaxHarmlessCommands: 10}
	underFakeClock(t, outside, cfg, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		for range 5 {
			c.Do("USER alice", "+OK")
			c.Do("CAPA", "+OK")
			c.ReadMultiline()
		}
		c.Do("USER alice", "-ERR too many commands without a login")
		c.ExpectEOF()
	})
	underFakeClock(t, outside, cfg, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		for range 10 {
			c.Do("AUTH", "+OK") // the list of mechanisms
			c.ReadMultiline()
		}
		c.Do("AUTH ", "-ERR too many commands without a login")
		c.ExpectEOF()
	})
	took := underFakeClock(t, outside, cfg, func(t *testing.T, f *pop3test.Fixture) {
		c := logIn(t, f)
		for range 20 { // between others NOOP is free
			c.Do("NOOP", "+OK")
			c.Do("STAT", "+OK")
			c.Do("LIST 1", "+OK")
		}
		for range 15 {
			c.Do("NOOP", "+OK")
		}
		if n := f.Metric(t, "popelago_pop3server_paused_commands_total", "", ""); n != 5 {
			t.Errorf("%v commands were answered late, want 5", n)
		}
		c.Do("DELE 1", "+OK")
		c.Do("RSET", "+OK")
		c.Do("QUIT", "+OK")
	})
	if took != 5*time.Second {
		t.Errorf("5 commands beyond the limit took %v, want 5s", took)
	}
}

func TestLoginTimeout(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	took := underFakeClock(t, outside, pop3server.Config{}, func(t *testing.T, f *pop3test.Fixture) {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		time.Sleep(80 * time.Second)
		c.Do("USER alice", "+OK")
		c.ExpectEOF()
	})
	if took != 90*time.Second {
		t.Errorf("a session without login ended after %v, want 90s", took)
	}
}

// TestCrowdedServerDropsTheIdle: strangers that hold all connections and never log in keep no user out.
func TestCrowdedServerDropsTheIdle(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	underFakeClock(t, outside, pop3server.Config{MaxConns: 2}, func(t *testing.T, f *pop3test.Fixture) {
		idle := mailtest.NewClient(t, f.Dial(t, "192.0.2.1"))
		idle.Timeout = 0
		idle.Expect("+OK")
		user := logIn(t, f)
		time.Sleep(3 * time.Second)
		another := logIn(t, f)
		idle.Expect("-ERR [SYS/TEMP] too many connections")
		idle.ExpectEOF()
		time.Sleep(3 * time.Second)
		mailtest.NewClient(t, f.Dial(t, "192.0.2.1")).Expect("-ERR [SYS/TEMP] too many connections")
		user.Do("QUIT", "+OK")
		another.Do("QUIT", "+OK")
	})
}

// TestLimitsOfTheirOwn: POP3 and POP3S do not share MaxConns.
func TestLimitsOfTheirOwn(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{MaxConns: 1, DropAfter: 24 * time.Hour}, true)
	clear := mailtest.Dial(t, f.Listen(t))
	clear.Expect("+OK")
	secure := mailtest.Dial(t, f.ListenTLS(t))
	if err := secure.TryStartTLS(f.TLS.Client); err != nil {
		t.Fatal(err)
	}
	secure.Expect("+OK")
	mailtest.Dial(t, f.Listen(t)).Expect("-ERR [SYS/TEMP] too many connections")
	clear.Do("QUIT", "+OK")
	secure.Do("QUIT", "+OK")
}
