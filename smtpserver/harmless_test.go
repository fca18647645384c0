package smtpserver_test

import (
	"fmt"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// flood sends commands until the session ends, and returns the count of commands that did not end the
// session.
func flood(t *testing.T, c *mailtest.Client, most int, commands ...string) (answered int, last string) {
	t.Helper()
	for i := range most {
		c.Cmd(commands[i%len(commands)])
		if last = c.Line(); strings.HasPrefix(last, "421 ") {
			c.ExpectEOF()
			return i, last
		}
	}
	return most, last
}

func TestHarmlessCommandsEndTheSession(t *testing.T) {
	for _, commands := range [][]string{
		{"NOOP"}, {"RSET"}, {"VRFY x"}, {"HELP"}, {"MAIL FROM:<>", "RSET"}, {"MAIL FROM:<>", "MAIL FROM:<>"}, {"EHLO x", "HELO x"},
		{"DATA"}, {"BDAT 0"}, {"NOOP", "BDAT 00"},
	} {
		t.Run(strings.Join(commands, ","), func(t *testing.T) {
			r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxHarmlessCommands = 30 })
			c := r.Client(t, "HELO client.example")
			if strings.Contains(commands[len(commands)-1], "BDAT") {
				begin(c)
			}
			if commands[0] == "EHLO x" {
				commands = []string{"HELO x"}
			}
			n, last := flood(t, c, 100, commands...)
			if n < 25 || n > 30 || last != "421 4.7.0 too many commands without a message" && !strings.HasPrefix(last, "421 4.7.0 too many commands without a message (session ") {
				t.Errorf("%d commands were answered, then %q", n, last)
			}
		})
	}
}

// TestMessagesAllowFurtherCommands: a sender of messages has no limit of commands.
func TestMessagesAllowFurtherCommands(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxHarmlessCommands = 5 })
	c := r.Client(t, "HELO client.example")
	for range 10 {
		c.Do("RSET", "250 ")
		c.Do("NOOP", "250 ")
		begin(c)
		c.Do("DATA", "354 ")
		c.Do("Subject: x\r\n\r\nx\r\n.", "250 ")
	}
	off := newRig(t, smtpserver.LMTP, func(s *smtptest.Settings) {
		s.Server.MaxHarmlessCommands, s.Server.MaxRefusedRecipients = -1, -1
	})
	c = off.Client(t, "LHLO client.example")
	if n, last := flood(t, c, 500, "NOOP"); n != 500 {
		t.Errorf("without a limit, after %d: %q", n, last)
	}
	c.Do("MAIL FROM:<>", "250 ")
	for i := range 500 {
		c.Do(fmt.Sprintf("RCPT TO:<nobody%d@example.test>", i), "550 ")
	}
}

// TestHarvestingEndsTheSession: a recipient that exists, named now and then, does not help.
func TestHarvestingEndsTheSession(t *testing.T) {
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxRefusedRecipients = 20 })
	c := r.Client(t, "HELO client.example")
	c.Do("MAIL FROM:<>", "250 ")
	for i := range 20 {
		c.Do("RCPT TO:<alice@example.test>", "250 ")
		c.Do(fmt.Sprintf("RCPT TO:<nobody%d@example.test>", i), "550 ")
	}
	c.Do("RCPT TO:<nobody@example.test>", "421 4.7.0 too many refused recipients")
	c.ExpectEOF()
}
