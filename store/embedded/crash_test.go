package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// crash is a machine that lost its power: the files on the disk, and the outcomes reported before.
type crash struct {
	fs            *vfs.MemFS
	before, after facts
	at            string
}

// pullPlug returns the disk at the present moment: all synced data, and a part of the data not synced.
func pullPlug(mem *vfs.MemFS, l *ledger, rng *rand.Rand, at string) crash {
	c := crash{before: l.snapshot(), at: at}
	c.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[rng.IntN(3)], RNG: rng})
	c.after = l.snapshot()
	return c
}

// recover opens and checks the remaining files, then crashes again and again.
func (c crash) recover(t *testing.T, rng *rand.Rand) {
	t.Helper()
	s, err := embedded.Open(small(c.fs))
	if err != nil {
		t.Fatalf("crash at %s: Open: %v", c.at, err)
	}
	defer s.Close()
	if err := verify(t.Context(), s, c.before, c.after); err != nil {
		t.Fatalf("crash at %s: %v", c.at, err)
	}
	if rng.IntN(4) > 0 {
		return
	}
	// A second crash, right after the recovery.
	again := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rng})
	s2, err := embedded.Open(small(again))
	if err != nil {
		t.Fatalf("second crash after %s: Open: %v", c.at, err)
	}
	defer s2.Close()
	if err := verify(t.Context(), s2, c.before, c.after); err != nil {
		t.Fatalf("second crash after %s: %v", c.at, err)
	}
}

// TestCrashAtEachChange crashes before every change of a file that a workload makes.
func TestCrashAtEachChange(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := newFaultFS(mem)
	l := newLedger(t.Context())
	rng := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var crashes []crash
	n := 0
	fs.set(func(op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		n++
		if testing.Short() && n%5 != 0 {
			return nil
		}
		crashes = append(crashes, pullPlug(mem, l, rng, fmt.Sprintf("change %d, %s %s", n, op, name)))
		return nil
	})
	s := open(t, small(fs))
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fs.set(nil)
	crashes = append(crashes, pullPlug(mem, l, rng, "the end"))
	t.Logf("%d crashes", len(crashes))
	for _, c := range crashes {
		c.recover(t, rng)
	}
}

// TestCrashWhileBusy crashes at random moments of several deliveries and drains at once.
func TestCrashWhileBusy(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := newFaultFS(mem)
	l := newLedger(t.Context())
	s := open(t, small(fs))
	rng := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	var crashes []crash
	n := 0
	fs.set(func(op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		if n++; n%23 == 0 {
			crashes = append(crashes, pullPlug(mem, l, rng, fmt.Sprintf("change %d, %s %s", n, op, name)))
		}
		return nil
	})
	busy(t, l, s, 40)
	fs.set(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crashes", len(crashes))
	for _, c := range crashes {
		c.recover(t, rng)
	}
}

// busy delivers, drains and changes an address from several goroutines.
func busy(t *testing.T, l *ledger, s *embedded.Store, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range n {
				size := []int{10, 8 << 10, 20_000, 45_000}[(i+w)%4]
				if _, err := l.deliver(s, size, i%ledgerMailboxes, (i+w)%ledgerMailboxes); err != nil {
					t.Errorf("deliver: %v", err)
					return
				}
			}
		})
	}
	for mb := range ledgerMailboxes {
		wg.Go(func() {
			for range n / 4 {
				rows, err := storetest.List(l.ctx, s, benchMailbox(mb), 10)
				if err != nil {
					t.Errorf("list: %v", err)
					return
				}
				var ids []mail.MessageID
				for i, m := range rows {
					if i%3 != 2 {
						ids = append(ids, m.ID)
					}
				}
				if err := l.remove(s, mb, ids...); err != nil {
					t.Errorf("remove: %v", err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for range n {
			if err := l.changePassword(s); err != nil {
				t.Errorf("change: %v", err)
				return
			}
		}
	})
	wg.Wait()
}
