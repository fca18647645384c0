package datacenters

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"popelago/bench"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
)

// chaosLoad is a load on several servers.
type chaosLoad struct {
	*servertest.Load
	users []string

	mu   sync.Mutex
	sums map[string]map[string]int64 // by server: taken, refused, unknown, sent again, removed
}

func startChaosLoad(t testing.TB, path string, users []string) *chaosLoad {
	t.Helper()
	l := &chaosLoad{Load: servertest.StartLoad(t, path), users: users, sums: map[string]map[string]int64{}}
	t.Cleanup(func() { l.stop(t) })
	return l
}

// at delivers to all users at a server, rate messages in a second, and drains some of the maildrops
// there, until ctx or the load ends. It returns the progress of deliveries.
func (l *chaosLoad) at(ctx context.Context, name string, s *servertest.Server, rate float64, drained []bench.Login) *bench.Progress {
	progress := &bench.Progress{}
	ctx, end := context.WithCancel(ctx)
	context.AfterFunc(l.Ctx, end)
	l.Go(func() {
		report, err := bench.Deliver(ctx, bench.DeliverConfig{
			Target: bench.Target{Addr: s.LMTP}, Users: l.users, Recipients: 2, From: name + "@sender.example",
			Messages: bench.Messages{Size: 3000, Awkward: 0.3}, Connections: 3, Rate: rate,
			Duration: time.Hour, Reconnect: sitetest.Limit, Resend: true, Journal: l.Journal, Progress: progress,
		})
		l.add(name, "deliver", report, err)
	})
	l.Go(func() {
		for ctx.Err() == nil {
			report, err := bench.Drain(ctx, bench.DrainConfig{
				Target: bench.Target{Addr: s.POP3}, Logins: drained, Check: true, Reconnect: sitetest.Limit, Journal: l.Journal,
			})
			l.add(name, "drain", report, err)
			hold(ctx, time.Second)
		}
	})
	return progress
}

// add adds the facts of a run to the sums of a server, and records its failed checks.
func (l *chaosLoad) add(name, what string, report bench.Report, err error) {
	what += " at " + name
	l.Failed(what, err)
	for _, e := range report.Errors {
		if strings.HasPrefix(e.Class, "check: ") {
			l.Failed(what, fmt.Errorf("%d times: %s", e.Count, e.Class))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
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

// stop ends all deliveries and drains, and logs their numbers at each server.
func (l *chaosLoad) stop(t testing.TB) {
	t.Helper()
	if !l.Load.Stop(t) {
		return
	}
	for name, sums := range l.sums {
		t.Logf("at %s: %v", name, sums)
	}
}

// hold waits for d, or until ctx ends.
func hold(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
