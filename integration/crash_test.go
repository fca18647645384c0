package integration

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"popelago/bench"
)

// TestKilled kills the server again and again while mail goes in and out at full speed. Then
// nothing acknowledged may be lost, nothing removed may be back, and every unique-id must be
// what it was.
func TestKilled(t *testing.T) {
	parts, kills := 4, 5
	if testing.Short() {
		parts, kills = 1, 3
	}
	s := startServer(t, setup{fixedPorts: true})
	var users []string
	var logins []bench.Login
	for i := range 8 {
		a := s.account(t, fmt.Sprintf("user%d", i))
		users = append(users, a.address)
		logins = append(logins, bench.Login{Name: a.address, Password: a.password})
	}
	drained := logins[:6] // the others keep all their mail
	path := journalIn(t)
	for part := range parts {
		load := startCrashLoad(t, s, path, users, drained)
		for kill := range kills {
			waitDelivered(t, startLimit, "before a kill", &load.delivered, int64(rand.IntN(200)))
			s.proc.signal(syscall.SIGKILL)
			s.proc.wait(t, stopLimit)
			if part == parts-1 && kill == kills-1 {
				load.stop(t)
			}
			s.start(t)
		}
		load.stop(t)
		verify(t, s, path, logins)
	}
	s.stop(t)
	s.start(t)
	verify(t, s, path, logins)
}

// crashLoad is a load on one server.
type crashLoad struct {
	*load
	delivered bench.Progress
}

// startCrashLoad delivers small and large messages to users and drains some of the maildrops,
// reconnecting after every crash, with notes in a journal.
func startCrashLoad(t testing.TB, s *server, path string, users []string, drained []bench.Login) *crashLoad {
	t.Helper()
	l := &crashLoad{load: startLoad(t, path)}
	mail := bench.DeliverConfig{
		Target: bench.Target{Addr: s.lmtp}, Users: users, Recipients: 2,
		Messages: bench.Messages{Size: 3000, Awkward: 0.3}, Connections: 6,
		Duration: time.Hour, Reconnect: startLimit, Resend: true, Journal: l.journal, Progress: &l.delivered,
	}
	l.run("deliver small", func() (bench.Report, error) { return bench.Deliver(l.ctx, mail) })
	large := mail // too large to stand in the database
	large.Messages.Size, large.Connections, large.Progress = 50_000, 2, nil
	l.run("deliver large", func() (bench.Report, error) { return bench.Deliver(l.ctx, large) })
	l.run("drain", func() (bench.Report, error) {
		return bench.Drain(l.ctx, bench.DrainConfig{
			Target: bench.Target{Addr: s.pop3}, Logins: drained, Connections: 2, Check: true,
			Duration: time.Hour, Reconnect: startLimit, Journal: l.journal,
		})
	})
	return l
}

// verify checks that the server kept its word, as the journal has it.
func verify(t testing.TB, s *server, journal string, logins []bench.Login) {
	t.Helper()
	report, err := bench.Verify(deadline(t, 3*time.Minute), bench.VerifyConfig{
		Target: bench.Target{Addr: s.pop3}, Logins: logins, Journal: journal, Record: true, Connections: 2, Reconnect: startLimit,
	})
	if err != nil {
		t.Fatal(err)
	}
	f := report.Findings
	t.Logf("verified: %d messages there, %d acknowledged, %d removed, outcome unknown %d (%d there), removal unknown %d",
		f.Messages, f.Acknowledged, f.Removed, f.UnknownPresent+f.UnknownAbsent, f.UnknownPresent, f.UnknownRemovals)
	for _, e := range f.Examples {
		t.Error(e)
	}
	if f.Failures() != 0 {
		t.Errorf("%d violations: %v", f.Failures(), f.Violations)
	}
	if f.Acknowledged == 0 {
		t.Error("nothing was acknowledged, so nothing was tested")
	}
}
