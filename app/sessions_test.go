package app_test

import (
	"fmt"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mailtest"
)

// sessionsOf returns the sessions of a server by protocol.
func sessionsOf(t *testing.T, c *adminclient.Client) map[string]adminclient.Session {
	t.Helper()
	list, err := c.Sessions(t.Context(), adminclient.SessionFilter{}, 0)
	if err != nil || !list.Complete {
		t.Fatalf("%+v, %v", list, err)
	}
	by := map[string]adminclient.Session{}
	for _, s := range list.Sessions {
		by[s.Protocol] = s
	}
	return by
}

// An administrator sees the sessions and ends them: POP3 without removing anything, SMTP and LMTP with the
// reply to an accepted message before.
func TestSessions(t *testing.T) {
	a := start(t, devConfig(t))
	addAlice(t, a)
	deliver(t, a, "Subject: x\r\n\r\nhello\r\n")
	admin := adminclient.Unix(a.Addrs()["admin-socket"][0].String())
	defer admin.Close()
	mailtest.WaitFor(t, 10*time.Minute, func() error { // until the session of deliver is gone
		if n := len(sessionsOf(t, admin)); n > 0 {
			return fmt.Errorf("%d sessions", n)
		}
		return nil
	})

	pop := mailtest.Dial(t, a.Addrs()["pop3"][0].String())
	pop.Expect("+OK")
	if s := sessionsOf(t, admin)["pop3"]; s.User != "" || s.State != "authorization" || s.Client != "127.0.0.1" || s.TLS || s.Since.IsZero() {
		t.Errorf("before the login: %+v", s)
	}
	pop.Do("USER alice@example.test", "+OK")
	pop.Do("PASS correct horse", "+OK")
	pop.Cmd("RETR 1")
	for pop.Line() != "." {
	}
	pop.Do("DELE 1", "+OK")
	busy := beginText(t, a)
	smtp := mailtest.Dial(t, a.Addrs()["smtp"][0].String())
	smtp.Expect("220")
	smtp.Do("HELO test", "250")

	by := sessionsOf(t, admin)
	if s := by["pop3"]; s.User != "alice@example.test" || s.State != "transaction" || s.Commands != 4 || s.Messages != 1 || s.Octets < 100 || s.Server == "" {
		t.Errorf("POP3: %+v", s)
	}
	if s := by["lmtp"]; s.Command != "DATA" || s.Messages != 0 || s.User != "" {
		t.Errorf("LMTP: %+v", s)
	}
	if s := by["smtp"]; s.State != "ready" || s.Command != "" || s.Commands != 1 {
		t.Errorf("SMTP: %+v", s)
	}
	if l := a.Load(); l.Sessions["pop3"] != 1 || l.Sessions["lmtp"] != 1 || l.Deliveries != 1 || l.Retrievals != 0 || l.HeapOctets == 0 {
		t.Errorf("load %+v", l)
	}

	for _, want := range []int{3, 0} {
		ended, err := admin.EndSessions(t.Context(), adminclient.SessionEnd{All: true})
		// The second time the sessions end, or have ended.
		if err != nil || ended.Ended != want {
			t.Errorf("%+v, %v; want %d ended", ended, err, want)
		}
	}
	pop.Expect("-ERR [SYS/TEMP] session ended by the administrator")
	pop.ExpectEOF()
	smtp.Expect("421 4.3.2 session ended by the administrator")
	smtp.ExpectEOF()
	if s := sessionsOf(t, admin)["lmtp"]; !s.Ending {
		t.Errorf("%+v", s)
	}
	busy.Send("Subject: y\r\n\r\n.\r\n")
	busy.Expect("250")
	busy.Expect("421")
	busy.ExpectEOF()

	pop = mailtest.Dial(t, a.Addrs()["pop3"][0].String())
	pop.Expect("+OK")
	pop.Do("USER alice@example.test", "+OK")
	pop.Do("PASS correct horse", "+OK 2 messages") // nothing was removed
}
