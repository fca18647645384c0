package servertest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"popelago/bench"
	"popelago/mailtest"
)

// Load is mail that comes in and leaves, recorded in a journal, until Stop.
type Load struct {
	Journal *bench.Journal
	Ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

// StartLoad opens the journal at path. Stop, or the end of the test, closes the journal.
func StartLoad(t testing.TB, path string) *Load {
	t.Helper()
	journal, err := bench.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &Load{Journal: journal}
	l.Ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { l.Stop(t) })
	return l
}

// Go runs f beside the load. Stop waits for its end.
func (l *Load) Go(f func()) { l.done.Go(f) }

// Run does a part of the load meanwhile.
func (l *Load) Run(what string, f func() (bench.Report, error)) {
	l.Go(func() {
		_, err := f()
		l.Failed(what, err)
	})
}

// Failed records the reason why a part of the load ended, unless the load was stopped.
func (l *Load) Failed(what string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, fmt.Errorf("%s: %w", what, err))
}

// Stop ends the load, and fails the test if a part of the load had failed. It reports whether this
// call stopped the load.
func (l *Load) Stop(t testing.TB) bool {
	t.Helper()
	l.cancel()
	l.done.Wait()
	if l.Journal == nil {
		return false
	}
	if err := l.Journal.Close(); err != nil {
		t.Error(err)
	}
	l.Journal = nil
	for _, err := range l.errs {
		t.Error(err)
	}
	return true
}

// WaitDelivered waits until so many more messages were delivered. limit counts from the last delivery on.
func WaitDelivered(t testing.TB, limit time.Duration, where string, p *bench.Progress, n int64) {
	t.Helper()
	before, _ := p.Done()
	mailtest.WaitForProgress(t, limit, func() (int64, error) {
		now, _ := p.Done()
		if now < before+n {
			return now - before, fmt.Errorf("%d of %d messages delivered %s", now-before, n, where)
		}
		return now - before, nil
	})
}

// JournalIn is the path of a new journal.
func JournalIn(t testing.TB) string { return filepath.Join(t.TempDir(), "journal") }

// Verify checks the server's promises by the journal.
func Verify(t testing.TB, s *Server, journal string, logins []bench.Login) {
	t.Helper()
	report, err := bench.Verify(Deadline(t, 15*time.Minute), bench.VerifyConfig{
		Target: bench.Target{Addr: s.POP3}, Logins: logins, Journal: journal, Record: true, Connections: 2, Reconnect: StartLimit,
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
