package pop3server_test

import (
	"fmt"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// wrongClock is the mail of a store on a machine with a wrong clock.
type wrongClock struct {
	store.Mail
	err error
}

func (w *wrongClock) Clock() error { return w.err }

// With a wrong clock a maildrop with a retention cannot be opened: the maildrop might look empty.
// Maildrops without retention can be opened and emptied.
func TestWrongClock(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 3)
	alice := mail.Address{Local: "alice", Domain: "example.test"}
	if err := outside.Directory.SetRetention(t.Context(), alice, mail.Retention(90*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	st := &wrongClock{Mail: outside.Store.Mail.Local, err: fmt.Errorf("%w: 100 days ahead", store.ErrClock)}
	f := onMail(t, outside, st, pop3server.Config{})
	f.Add(t, f.Bob, "Subject: x\r\n\r\n", "")
	for range 2 {
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "-ERR [SYS/TEMP]")
		c.Do("USER bob", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK 1 message")
		c.Do("RETR 1", "+OK")
		c.ReadMultiline()
		c.Do("RSET", "+OK")
		c.Do("QUIT", "+OK")
	}
	st.err = nil
	c := mailtest.NewClient(t, f.Dial(t, ""))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK 3 messages (310 octets)")
}
