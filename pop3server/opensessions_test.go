package pop3server_test

import (
	"fmt"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// An account has a limited number of sessions at one time. The end of a session, of any kind, makes
// room for the next session.
func TestSessionsPerAccount(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{MaxSessionsPerAccount: 2}, false)
	first, second := f.LogIn(t), f.LogIn(t)
	refused := func() *mailtest.Client {
		c := f.Client(t)
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "-ERR [IN-USE] ")
		return c
	}
	third := refused()
	third.Do("NOOP", "-ERR log in first")
	first.Do("QUIT", "+OK")
	logInAgain := func(c *mailtest.Client) {
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			c.Cmd("USER alice")
			c.Expect("+OK")
			c.Cmd("PASS " + pop3test.Password)
			if line := c.Line(); line[:3] != "+OK" {
				return fmt.Errorf("answer %q", line)
			}
			return nil
		})
	}
	logInAgain(third)
	fourth := refused()
	second.Close()
	logInAgain(fourth)
}
