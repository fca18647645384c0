package account

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"popelago/store"
	"popelago/store/cassandra/murmur"
)

// partly is a store without domains. The first lost reads fail, and the next hanging reads have no answer.
type partly struct {
	store.Directory
	lost, hanging int
}

func (s partly) Domain(ctx context.Context, name string) (store.Domain, error) {
	switch n := slices.Index(probes[:], name); {
	case n < s.lost:
		return store.Domain{}, store.ErrUnavailable
	case n < s.lost+s.hanging:
		<-ctx.Done()
		return store.Domain{}, ctx.Err()
	}
	return store.Domain{}, store.ErrNotFound
}

// A large cluster in which nodes are down serves most mailboxes: the store is readable while half of the reads succeed, and
// nodes that hang do not delay the answer until a load balancer has lost its patience. No answer reads all domains.
func TestReadable(t *testing.T) {
	for _, c := range []struct {
		lost, hanging int
		want          error
		took          time.Duration
	}{
		{0, 0, nil, 0},
		{1, 0, nil, 0},
		{4, 0, nil, 0},
		{5, 0, store.ErrUnavailable, 0},
		{Probes, 0, store.ErrUnavailable, 0},
		{0, 1, nil, probePatience},
		{2, 2, nil, probePatience},
		{5, 3, store.ErrUnavailable, 0},
		{1, 4, store.ErrUnavailable, 5 * time.Second},
		{0, Probes, store.ErrUnavailable, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			began := time.Now()
			d := newDirectory(t, cheap(newClock()), partly{lost: c.lost, hanging: c.hanging})
			unread, err := d.Readable(ctx)
			wantErr(t, "Readable", err, c.want)
			if took := time.Since(began); took != c.took || err == nil && unread != c.lost+c.hanging {
				t.Errorf("%+v: %d unread after %v", c, unread, took)
			}
			time.Sleep(lookPatience) // until the look ends
		})
	}
}

// slow is a store without domains, which answers after a second.
type slow struct {
	store.Directory
	reads *atomic.Int64
}

func (s slow) Domain(context.Context, string) (store.Domain, error) {
	s.reads.Add(1)
	time.Sleep(time.Second)
	return store.Domain{}, store.ErrNotFound
}

// Requests without a token ask whether the store can be read: many at once cost one look. A caller that gives up ends the look
// of no other.
func TestReadableIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int64
		d := newDirectory(t, cheap(newClock()), slow{reads: &reads})
		first, give := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := d.Readable(first)
			gone <- err
		}()
		synctest.Wait()
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if unread, err := d.Readable(t.Context()); unread != 0 || err != nil {
					t.Errorf("%d unread, %v", unread, err)
				}
			})
		}
		synctest.Wait()
		give()
		wantErr(t, "the caller that gave up", <-gone, store.ErrUnavailable)
		callers.Wait()
		if n := int(reads.Load()); n != Probes {
			t.Errorf("%d reads, want %d", n, Probes)
		}
	})
}

// Each of the reads is in an eighth of the ring of its own.
func TestProbesAreSpread(t *testing.T) {
	for i, name := range probes {
		if part := (uint64(murmur.Token([]byte(name))) + 1<<63) >> 61; part != uint64(i) {
			t.Errorf("%s is in part %d", name, part)
		}
	}
}
