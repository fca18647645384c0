package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/bench"
	"popelago/mailtest"
)

// chaosLoad is mail going in and out at several servers until it is stopped.
type chaosLoad struct {
	journal *bench.Journal
	users   []string
	ctx     context.Context
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu   sync.Mutex
	sums map[string]map[string]int64 // by server: taken, refused, unknown, sent again, removed
	errs []error
}

func startChaosLoad(t testing.TB, path string, users []string) *chaosLoad {
	t.Helper()
	journal, err := bench.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &chaosLoad{journal: journal, users: users, sums: map[string]map[string]int64{}}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { l.stop(t) })
	return l
}

// at delivers to all users at a server, so many messages in a second, and drains some of the
// maildrops there, until ctx or the load ends. It returns the progress of deliveries.
func (l *chaosLoad) at(ctx context.Context, name string, s *server, rate float64, drained []bench.Login) *bench.Progress {
	progress := &bench.Progress{}
	ctx, end := context.WithCancel(ctx)
	context.AfterFunc(l.ctx, end)
	l.done.Go(func() {
		report, err := bench.Deliver(ctx, bench.DeliverConfig{
			Target: bench.Target{Addr: s.lmtp}, Users: l.users, Recipients: 2, From: name + "@sender.example",
			Messages: bench.Messages{Size: 3000, Awkward: 0.3}, Connections: 3, Rate: rate,
			Duration: time.Hour, Reconnect: nodesLimit, Resend: true, Journal: l.journal, Progress: progress,
		})
		l.add(name, "deliver", report, err)
	})
	l.done.Go(func() {
		for ctx.Err() == nil {
			report, err := bench.Drain(ctx, bench.DrainConfig{
				Target: bench.Target{Addr: s.pop3}, Logins: drained, Check: true, Reconnect: nodesLimit, Journal: l.journal,
			})
			l.add(name, "drain", report, err)
			hold(ctx, time.Second)
		}
	})
	return progress
}

// add takes over what a run says of itself.
func (l *chaosLoad) add(name, what string, report bench.Report, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !errors.Is(err, context.Canceled) {
		l.errs = append(l.errs, fmt.Errorf("%s at %s: %w", what, name, err))
	}
	for _, e := range report.Errors {
		if strings.HasPrefix(e.Class, "check: ") {
			l.errs = append(l.errs, fmt.Errorf("%s at %s: %d times: %s", what, name, e.Count, e.Class))
		}
	}
	sums := l.sums[name]
	if sums == nil {
		sums = map[string]int64{}
		l.sums[name] = sums
	}
	for _, f := range report.Facts {
		sums[f.Name] += f.Value
	}
	for _, row := range report.Rows {
		if row.Name == "DELE+QUIT" {
			sums["removed"] += row.Count
		}
	}
}

// wait waits until so many more messages were delivered.
func (l *chaosLoad) wait(t testing.TB, name string, p *bench.Progress, n int64) {
	t.Helper()
	before, _ := p.Done()
	mailtest.WaitFor(t, nodesLimit, func() error {
		if now, _ := p.Done(); now < before+n {
			return fmt.Errorf("%d of %d messages delivered at %s", now-before, n, name)
		}
		return nil
	})
}

// stop ends all deliveries and drains, and fails the test if one of them could not go on.
func (l *chaosLoad) stop(t testing.TB) {
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
	for name, sums := range l.sums {
		t.Logf("at %s: %v", name, sums)
	}
	for _, err := range l.errs {
		t.Error(err)
	}
}

// hold waits while something lasts.
func hold(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
