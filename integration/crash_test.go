package integration

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"popelago/bench"
	"popelago/integration/servertest"
)

// TestKilled kills the server again and again while mail comes in and leaves at full speed. Then no
// acknowledged message may be lost, no removed message back, and every unique-id must be unchanged.
func TestKilled(t *testing.T) {
	parts, kills := 4, 5
	if testing.Short() {
		parts, kills = 1, 3
	}
	s := servertest.StartServer(t, servertest.Setup{FixedPorts: true})
	var users []string
	var logins []bench.Login
	for i := range 8 {
		a := s.Account(t, fmt.Sprintf("user%d", i))
		users = append(users, a.Address)
		logins = append(logins, bench.Login{Name: a.Address, Password: a.Password})
	}
	drained := logins[:6] // the other accounts keep all their mail
	path := servertest.JournalIn(t)
	for part := range parts {
		load := startCrashLoad(t, s, path, users, drained)
		for kill := range kills {
			servertest.WaitDelivered(t, servertest.StartLimit, "before a kill", &load.delivered, int64(rand.IntN(200)))
			s.Proc.Signal(syscall.SIGKILL)
			s.Proc.Wait(t, servertest.StopLimit)
			if part == parts-1 && kill == kills-1 {
				load.Stop(t)
			}
			s.Start(t)
		}
		load.Stop(t)
		servertest.Verify(t, s, path, logins)
	}
	s.Stop(t)
	s.Start(t)
	servertest.Verify(t, s, path, logins)
}

// crashLoad is a load on one server.
type crashLoad struct {
	*servertest.Load
	delivered bench.Progress
}

// startCrashLoad delivers small and large messages to users and drains some of the maildrops,
// reconnecting after every crash, with notes in a journal.
func startCrashLoad(t testing.TB, s *servertest.Server, path string, users []string, drained []bench.Login) *crashLoad {
	t.Helper()
	l := &crashLoad{Load: servertest.StartLoad(t, path)}
	mail := bench.DeliverConfig{
		Target: bench.Target{Addr: s.LMTP}, Users: users, Recipients: 2,
		Messages: bench.Messages{Size: 3000, Awkward: 0.3}, Connections: 6,
		Duration: time.Hour, Reconnect: servertest.StartLimit, Resend: true, Journal: l.Journal, Progress: &l.delivered,
	}
	l.Run("deliver small", func() (bench.Report, error) { return bench.Deliver(l.Ctx, mail) })
	large := mail // too large to stand in the database
	large.Messages.Size, large.Connections, large.Progress = 50_000, 2, nil
	l.Run("deliver large", func() (bench.Report, error) { return bench.Deliver(l.Ctx, large) })
	drain := bench.DrainConfig{ // made here: a later start of the server writes its addresses again
		Target: bench.Target{Addr: s.POP3}, Logins: drained, Connections: 2, Check: true,
		Duration: time.Hour, Reconnect: servertest.StartLimit, Journal: l.Journal,
	}
	l.Run("drain", func() (bench.Report, error) { return bench.Drain(l.Ctx, drain) })
	return l
}
