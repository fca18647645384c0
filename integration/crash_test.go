package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"popelago/bench"
	"popelago/mailtest"
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
	path := filepath.Join(t.TempDir(), "journal")
	for part := range parts {
		load := startLoad(t, s, path, users, drained)
		for kill := range kills {
			load.wait(t, int64(rand.IntN(200)))
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

// load is mail going in and out until it is stopped.
type load struct {
	cancel    context.CancelFunc
	journal   *bench.Journal
	done      sync.WaitGroup
	delivered bench.Progress
	mu        sync.Mutex
	errs      []error
}

// startLoad delivers small and large messages to users and drains some of the maildrops,
// reconnecting after every crash, with notes in a journal.
func startLoad(t testing.TB, s *server, path string, users []string, drained []bench.Login) *load {
	t.Helper()
	journal, err := bench.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{cancel: cancel, journal: journal}
	t.Cleanup(func() { l.stop(t) })
	run := func(what string, f func() (bench.Report, error)) {
		l.done.Go(func() {
			if _, err := f(); err != nil && !errors.Is(err, context.Canceled) {
				l.mu.Lock()
				l.errs = append(l.errs, fmt.Errorf("%s: %w", what, err))
				l.mu.Unlock()
			}
		})
	}
	mail := bench.DeliverConfig{
		Target: bench.Target{Addr: s.lmtp}, Users: users, Recipients: 2,
		Messages: bench.Messages{Size: 3000, Awkward: 0.3}, Connections: 6,
		Duration: time.Hour, Reconnect: startLimit, Resend: true, Journal: journal, Progress: &l.delivered,
	}
	run("deliver small", func() (bench.Report, error) { return bench.Deliver(ctx, mail) })
	large := mail // too large to stand in the database
	large.Messages.Size, large.Connections, large.Progress = 50_000, 2, nil
	run("deliver large", func() (bench.Report, error) { return bench.Deliver(ctx, large) })
	run("drain", func() (bench.Report, error) {
		return bench.Drain(ctx, bench.DrainConfig{
			Target: bench.Target{Addr: s.pop3}, Logins: drained, Connections: 2, Check: true,
			Duration: time.Hour, Reconnect: startLimit, Journal: journal,
		})
	})
	return l
}

// wait waits until so many more messages were delivered.
func (l *load) wait(t testing.TB, n int64) {
	t.Helper()
	before, _ := l.delivered.Done()
	mailtest.WaitFor(t, startLimit, func() error {
		if now, _ := l.delivered.Done(); now < before+n {
			return fmt.Errorf("%d of %d messages delivered", now-before, n)
		}
		return nil
	})
}

func (l *load) stop(t testing.TB) {
	t.Helper()
	l.cancel()
	l.done.Wait()
	if l.journal == nil {
		return
	}
	if err := l.journal.Close(); err != nil {
		t.Error(err)
	}
	l.journal = nil
	for _, err := range l.errs {
		t.Error(err)
	}
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
