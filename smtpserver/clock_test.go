package smtpserver_test

import (
	"fmt"
	"testing"

	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/storetest"
)

// wrongClock is the mail of a store on a machine with a wrong clock.
type wrongClock struct {
	store.Mail
	err error
}

func (w *wrongClock) Clock() error { return w.err }

// With a wrong clock no id can be made: mail has to wait until the clock is right.
func TestWrongClock(t *testing.T) {
	for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
		st := &wrongClock{err: fmt.Errorf("%w: 3 hours behind", store.ErrClock)}
		r := newRig(t, protocol, func(s *smtptest.Settings) {
			s.Wrap = func(inner store.Store) store.Store {
				st.Mail = inner.Mail.Local
				return storetest.WithMail(inner, st)
			}
		})
		hello := "HELO client.example"
		if protocol == smtpserver.LMTP {
			hello = "LHLO client.example"
		}
		c := r.Client(t, hello)
		for i, answer := range []string{"451 4.3.0 ", "451 4.3.0 ", "250 2."} {
			if i == 2 {
				st.err = nil
			}
			c.Do("MAIL FROM:<sender@example.org>", "250 ")
			c.Do("RCPT TO:<alice@example.test>", "250 ")
			c.Do("RCPT TO:<bob@example.test>", "250 ")
			c.Do("DATA", "354 ")
			c.Do("Subject: x\r\n\r\n.", answer)
			if protocol == smtpserver.LMTP {
				c.Expect(answer)
			}
		}
		for _, local := range []string{"alice", "bob"} {
			if n := len(r.Inbox(t, local)); n != 1 {
				t.Errorf("%s has %d messages, want the accepted message", local, n)
			}
		}
	}
}
