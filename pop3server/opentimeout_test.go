package pop3server_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// hangingList is a store whose lists never end.
type hangingList struct{ store.Mail }

// ListMessages implements store.Mailboxes.
func (hangingList) ListMessages(ctx context.Context, _ mail.MailboxID, _ mail.MessageID, _ int) ([]mail.Message, bool, error) {
	<-ctx.Done()
	return nil, false, store.ErrUnavailable
}

// A list that takes too long makes a login fail with [SYS/TEMP]; the session goes on.
func TestOpenTimeout(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	outside.AddSamples(t, 1)
	synctest.Test(t, func(t *testing.T) {
		f := onMail(t, outside, hangingList{outside.Store.Mail.Local}, pop3server.Config{OpenTimeout: 20 * time.Second})
		c := mailtest.NewClient(t, f.Dial(t, ""))
		c.Timeout = 0
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		start := time.Now()
		c.Do("PASS "+pop3test.Password, "-ERR [SYS/TEMP]")
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("the login took %v", took)
		}
		c.Do("NOOP", "-ERR")
		c.Do("QUIT", "+OK")
	})
}
