package pop3server_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// listOctets is the metric of the memory of lists.
func listOctets(t testing.TB, f *pop3test.Fixture) float64 {
	t.Helper()
	return f.Metric(t, "popelago_pop3server_list_octets", "", "")
}

// The sessions of a maildrop share its list and have marks of their own. After all sessions have ended
// in any way, the lists take no memory.
func TestSessionsShareTheList(t *testing.T) {
	const n = 20_000
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f := onMail(t, outside, &synthetic{Mail: outside.Store.Mail.Local, n: n, size: 1000}, pop3server.Config{})
	first := f.LogIn(t)
	one := listOctets(t, f)
	if one < 16*n || one > 80*n {
		t.Errorf("a list of %d messages takes %v octets", n, one)
	}
	second, third := f.LogIn(t), f.LogIn(t)
	if three := listOctets(t, f); three != one {
		t.Errorf("the lists of three sessions take %v octets, the list of one session %v", three, one)
	}
	first.Do("DELE 1", "+OK")
	first.Do("DELE 2", "+OK")
	second.Do("DELE 3", "+OK")
	size := 1000 + len(pop3test.Header())
	first.Do("STAT", fmt.Sprintf("+OK %d %d", n-2, (n-2)*size))
	second.Do("STAT", fmt.Sprintf("+OK %d %d", n-1, (n-1)*size))
	third.Do("STAT", fmt.Sprintf("+OK %d %d", n, n*size))
	second.Do("RSET", "+OK")
	first.Do("LIST 2", "-ERR")
	second.Do("LIST 2", fmt.Sprintf("+OK 2 %d", size))

	first.Close()
	second.Do("STAT", fmt.Sprintf("+OK %d %d", n, n*size))
	third.Do("QUIT", "+OK")
	second.Do(fmt.Sprintf("UIDL %d", n), fmt.Sprintf("+OK %d ", n))
	second.Do("QUIT", "+OK")
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if left := listOctets(t, f); left != 0 {
			return fmt.Errorf("%v octets are left of the lists", left)
		}
		return nil
	})
}

// panicking is a store with a defect.
type panicking struct{ store.Mail }

func (panicking) ListMessages(context.Context, mail.MailboxID, mail.MessageID, int) ([]mail.Message, bool, error) {
	panic("on purpose")
}

// A login that a defect ends does not count among the sessions of its account.
func TestPanicAtLoginMakesRoom(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	srv, err := pop3server.New(pop3server.Config{MaxSessionsPerAccount: 1}, f.Directory, store.OneLevel[store.Mail](panicking{f.Store.Mail.Local}), nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		client, server := net.Pipe()
		go srv.ServeConn(server)
		c := mailtest.NewClient(t, client)
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Cmd("PASS " + pop3test.Password)
		c.ExpectEOF()
	}
}
