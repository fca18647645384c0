package account

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mail"
	"popelago/store"
)

func TestLeastRetention(t *testing.T) {
	d, c := withDomain(t)
	ctx := t.Context()
	want := func(want mail.Retention) {
		t.Helper()
		if got, err := d.LeastRetention(ctx); err != nil || got != want {
			t.Errorf("least retention %v, %v; want %v", got, err, want)
		}
	}
	learn(t, d)
	want(0)
	if _, err := d.AddDomain(ctx, "second.test"); err != nil {
		t.Fatal(err)
	}
	retention := month
	if _, err := d.ChangeDomain(ctx, "second.test", store.DomainChange{Retention: &retention}); err != nil {
		t.Fatal(err)
	}
	c.advance(time.Minute)
	want(month)
	a := addAccount(t, d, "alice@example.test", "secret")
	wantErr(t, "for ever", d.SetRetention(ctx, a.Address, mail.Forever), nil)
	_, err := d.Authenticate(ctx, "alice", "secret")
	wantErr(t, "login", err, nil)
	want(month)
	wantErr(t, "a week", d.SetRetention(ctx, a.Address, week), nil)
	want(week)
}

// unreadNotes cannot be read, for as long as the caller waits, or at once.
type unreadNotes struct {
	store.Directory
	reads atomic.Int64
	slow  bool
}

func (u *unreadNotes) Progress(ctx context.Context, _ string) (string, error) {
	u.reads.Add(1)
	if u.slow {
		<-ctx.Done()
	}
	return "", store.ErrUnavailable
}

// TestLeastRetentionUnread: many clients that ask while the store is away share one failure, and none waits for long.
func TestLeastRetentionUnread(t *testing.T) {
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			inner, _ := withDomain(t)
			notes := &unreadNotes{Directory: inner.store.Local, slow: slow}
			d := newDirectory(t, inner.cfg, notes)
			began := time.Now()
			var clients sync.WaitGroup
			for range 200 {
				clients.Go(func() {
					if _, err := d.LeastRetention(t.Context()); !errors.Is(err, store.ErrUnavailable) {
						t.Errorf("least retention: %v", err)
					}
				})
			}
			clients.Wait()
			if n, took := notes.reads.Load(), time.Since(began); n != 1 || took > 2*leastWait {
				t.Errorf("slow %t: %d reads of the store within %v, want 1 within %v", slow, n, took, 2*leastWait)
			}
			gone, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := d.LeastRetention(gone); err == nil {
				t.Error("a client that has gone got a retention")
			}
		})
	}
}
