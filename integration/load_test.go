package integration

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

// load is mail going in and out, with notes in a journal, until it is stopped.
type load struct {
	journal *bench.Journal
	ctx     context.Context // until then
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu   sync.Mutex
	errs []error
}

func startLoad(t testing.TB, path string) *load {
	t.Helper()
	journal, err := bench.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &load{journal: journal}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { l.stop(t) })
	return l
}

// run does a part of the load meanwhile.
func (l *load) run(what string, f func() (bench.Report, error)) {
	l.done.Go(func() {
		_, err := f()
		l.failed(what, err)
	})
}

// failed remembers why a part of the load could not go on, unless it was stopped.
func (l *load) failed(what string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, fmt.Errorf("%s: %w", what, err))
}

// stop ends the load, and fails the test if a part of it could not go on. It reports whether
// that was not done before.
func (l *load) stop(t testing.TB) bool {
	t.Helper()
	l.cancel()
	l.done.Wait()
	if l.journal == nil {
		return false
	}
	if err := l.journal.Close(); err != nil {
		t.Error(err)
	}
	l.journal = nil
	for _, err := range l.errs {
		t.Error(err)
	}
	return true
}

// waitDelivered waits until so many more messages were delivered.
func waitDelivered(t testing.TB, limit time.Duration, where string, p *bench.Progress, n int64) {
	t.Helper()
	before, _ := p.Done()
	mailtest.WaitFor(t, limit, func() error {
		if now, _ := p.Done(); now < before+n {
			return fmt.Errorf("%d of %d messages delivered %s", now-before, n, where)
		}
		return nil
	})
}

// journalIn is the path of a new journal.
func journalIn(t testing.TB) string { return filepath.Join(t.TempDir(), "journal") }
