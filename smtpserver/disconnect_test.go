package smtpserver_test

import (
	"fmt"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

// endInCommand ends the only session, which must be in the execution of a command, and repeats the order in vain.
func endInCommand(t *testing.T, f *smtptest.Fixture, command string) {
	t.Helper()
	id := ""
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		all := f.OpenSessions()
		if len(all) != 1 || all[0].Command != command {
			return fmt.Errorf("sessions: %+v, want one with the command %q", all, command)
		}
		id = all[0].ID
		return nil
	})
	if !f.EndSession(id) {
		t.Error("the session was not ended")
	}
	if f.EndSession(id) {
		t.Error("the session was ended twice")
	}
}

// The administrator ends sessions of SMTP and LMTP during a message. The message that the client completes gets its
// true reply, and 421 follows. Nothing is stored of a message that the client does not complete. A message whose reply
// is lost is not stored twice.
func TestDisconnectInMessage(t *testing.T) {
	for protocol, hello := range map[smtpserver.Protocol]string{smtpserver.SMTP: "EHLO c", smtpserver.LMTP: "LHLO c"} {
		for _, test := range []struct {
			name    string
			storing func(*smtptest.Fixture, *mailtest.Client) // while the message is being stored; nil: the order comes before the end of the text
			do      func(*mailtest.Client)
			copies  int // after the client has sent the message again
		}{
			{"completed", nil, func(c *mailtest.Client) {
				c.Send("more\r\n.\r\nNOOP\r\n")
				c.Expect("250 ")
				c.Expect("421 ")
				c.ExpectEOF()
			}, 1},
			{"left", nil, func(c *mailtest.Client) { c.Close() }, 0},
			{"while it is stored", func(f *smtptest.Fixture, c *mailtest.Client) { endInCommand(t, f, "DATA") }, func(c *mailtest.Client) {
				c.Send("more\r\n.\r\n")
				c.Expect("250 ")
				c.Expect("421 ")
				c.ExpectEOF()
			}, 1},
			{"left while it is stored", func(f *smtptest.Fixture, c *mailtest.Client) {
				endInCommand(t, f, "DATA")
				c.Close()
			}, func(c *mailtest.Client) { c.Send("more\r\n.\r\n") }, 1},
		} {
			t.Run(fmt.Sprintf("%s, %s", protocol, test.name), func(t *testing.T) {
				held := &heldStore{}
				f := smtptest.New(t, openStore(t), protocol, func(s *smtptest.Settings) { s.Wrap = held.wrap })
				s := newSockets(t, f, "tcp")
				c := s.open(t, hello, "alice")
				if test.storing == nil {
					endInCommand(t, f, "DATA")
				} else {
					held.storing = func() { held.storing = nil; test.storing(f, c) }
				}
				test.do(c)
				<-s.over
				if n := len(f.Inbox(t, "alice")); n != test.copies {
					t.Errorf("%d copies, want %d", n, test.copies)
				}
				if test.storing == nil {
					return
				}
				again := s.open(t, hello, "alice")
				again.Send("more\r\n.\r\n")
				again.Expect("250 ")
				again.Do("QUIT", "221 ")
				<-s.over
				want := 2 // the client has the reply, and sends another message
				if test.name == "left while it is stored" {
					want = 1
				}
				if n := len(f.Inbox(t, "alice")); n != want {
					t.Errorf("%d copies after the repetition, want %d", n, want)
				}
			})
		}
	}
}

// The administrator ends a session between two chunks of a message: nothing is stored.
func TestDisconnectBetweenChunks(t *testing.T) {
	f := smtptest.New(t, openStore(t), smtpserver.SMTP, nil)
	c := mailtest.Dial(t, f.Listen(t))
	smtptest.Hello(c, "EHLO c")
	c.Do("MAIL FROM:<sender@example.org>", "250 ")
	c.Do("RCPT TO:<alice@example.test>", "250 ")
	c.Send("BDAT 4\r\nabcd")
	c.Expect("250 ")
	endInCommand(t, f, "")
	c.Expect("421 ")
	c.ExpectEOF()
	if n := len(f.Inbox(t, "alice")); n != 0 {
		t.Errorf("%d messages are stored, want none", n)
	}
}
