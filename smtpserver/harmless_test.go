package smtpserver_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/storetest"
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

// TestTextsWithoutRecipientsEndTheSession: a stranger who knows no address cannot keep a session.
func TestTextsWithoutRecipientsEndTheSession(t *testing.T) {
	for _, command := range []string{"DATA\r\n", "BDAT 1\r\nx"} {
		r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxHarmlessCommands = 30 })
		c := r.Client(t, "HELO client.example")
		c.Do("MAIL FROM:<>", "250 ")
		var last string
		n := 0
		for ; n < 100 && !strings.HasPrefix(last, "421 "); n++ {
			c.Send(command)
			last = c.Line()
		}
		if n < 25 || n > 31 || !strings.HasPrefix(last, "421 4.7.0 too many commands without a message") {
			t.Errorf("%q was answered %d times, then %q", command, n, last)
		}
	}
}

// TestDeferredRecipientsEndTheSession: recipients that are refused for now, and not for the address, are limited and do not
// flood the log.
func TestDeferredRecipientsEndTheSession(t *testing.T) {
	var log mailtest.Log
	lasting := func(s *smtptest.Settings) {
		fault := &storetest.Fault{Operation: "AddressRows", Lasting: true}
		s.Wrap = func(st store.Store) store.Store { return storetest.Faulty(st, fault) }
	}
	bubble(t, func(s *smtptest.Settings) {
		s.Server.MaxRecipients = 250
		s.Server.Logger = slog.New(slog.NewTextHandler(&log, nil))
		lasting(s)
	}, func(t *testing.T, _ *smtptest.Fixture, c *mailtest.Client) {
		c.Do("MAIL FROM:<>", "250 ")
		for range 250 {
			c.Do("RCPT TO:<alice@example.test>", "451 ")
		}
		c.Do("RCPT TO:<alice@example.test>", "421 4.7.0 too many refused recipients")
		c.ExpectEOF()
		if n := strings.Count(log.String(), "level=WARN"); n != 200 {
			t.Errorf("%d lines of the level warn in a moment, want 200", n)
		}
	})
	off := newRig(t, smtpserver.LMTP, func(s *smtptest.Settings) { // a mailer that everybody trusts
		s.Server.MaxRecipients, s.Server.MaxRefusedRecipients = 100, -1
		lasting(s)
	})
	c := off.Client(t, "LHLO client.example")
	c.Do("MAIL FROM:<>", "250 ")
	for range 500 {
		c.Do("RCPT TO:<alice@example.test>", "451 ")
	}
}

// TestMisplacedRecipientsEndTheSession: recipients that are refused without a look at their account are limited, too.
func TestMisplacedRecipientsEndTheSession(t *testing.T) {
	for name, test := range map[string]struct {
		before []string
		rcpt   string
		want   string
	}{
		"outside a transaction": {nil, "RCPT TO:<alice@example.test>", "503 "},
		"not ASCII":             {[]string{"MAIL FROM:<>"}, "RCPT TO:<ä@example.test>", "553 "},
		"beyond the limit":      {append([]string{"MAIL FROM:<>"}, slices.Repeat([]string{"RCPT TO:<alice@example.test>"}, 5)...), "RCPT TO:<alice@example.test>", "452 "},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) { s.Server.MaxRecipients = 5 })
			c := r.Client(t, "HELO client.example")
			for _, command := range test.before {
				c.Do(command, "250 ")
			}
			for range 50 {
				c.Do(test.rcpt, test.want)
			}
			c.Do(test.rcpt, "421 4.7.0 too many refused recipients")
			c.ExpectEOF()
		})
	}
	off := newRig(t, smtpserver.LMTP, func(s *smtptest.Settings) { s.Server.MaxRecipients, s.Server.MaxRefusedRecipients = 5, -1 })
	c := off.Client(t, "LHLO client.example")
	for range 100 {
		c.Do("RCPT TO:<alice@example.test>", "503 ")
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
