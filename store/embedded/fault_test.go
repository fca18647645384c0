package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(mailtest.Main(m)) }

// small returns settings that make rare events frequent.
func small(fs vfs.FS) embedded.Config {
	return embedded.Config{Dir: "data", FS: fs, MemTableSize: 64 << 10, CacheSize: 1 << 20, TidyAfter: 4}
}

// TestEachFileFault runs a workload with the k-th change of a file failing, for every k: no
// acknowledged message is lost, no message is incomplete, and the store is usable again.
func TestEachFileFault(t *testing.T) {
	for cause, step := range map[syscall.Errno]int{syscall.EIO: 1, syscall.ENOSPC: 5} {
		if testing.Short() {
			step *= 7
		}
		t.Run(cause.Error(), func(t *testing.T) {
			for k := 0; ; k++ {
				if k%step != 0 {
					continue
				}
				if hit := fileFault(t, k, cause); hit == "" {
					t.Logf("%d changes", k)
					return
				}
			}
		})
	}
}

func fileFault(t *testing.T, k int, cause error) (hit string) {
	mem := vfs.NewMem()
	fs := newFaultFS(mem)
	s := open(t, small(fs))
	hook, hitOp := failNth(k, cause)
	fs.set(hook)
	defer func() {
		if t.Failed() {
			t.Logf("change %d failed: %s", k, hitOp())
		}
	}()
	l := newLedger(t.Context())
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	hit = hitOp()
	fs.set(nil)
	l.check(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	again := open(t, small(mem))
	defer again.Close()
	l.check(t, again)
	return hit
}

// TestFailedLogEndsCompactions: the log that a compaction begins cannot be made. The compaction ends, and the
// store is usable again.
func TestFailedLogEndsCompactions(t *testing.T) {
	fs := newFaultFS(vfs.NewMem())
	s := open(t, small(fs))
	defer s.Close()
	l := newLedger(t.Context())
	var ids []mail.MessageID
	for range 6 {
		id, err := l.deliver(s, 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	var failed atomic.Bool
	fs.set(func(op, name string) error {
		if (op == "create" || op == "reuse") && strings.HasSuffix(name, ".log") && failed.CompareAndSwap(false, true) {
			return syscall.EIO
		}
		return nil
	})
	// small tidies a mailbox after four removals.
	if err := l.remove(s, 0, ids[:4]...); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour))
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Sweep: %v, want %v", err, store.ErrUnavailable)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the compaction does not end")
	}
	if !failed.Load() {
		t.Fatal("no log was begun")
	}
	l.check(t, s)
}

// TestOpenFault fails each change that Open makes, on a new folder and on a used folder: Open returns
// the failure, and succeeds without the fault.
func TestOpenFault(t *testing.T) {
	for _, used := range []bool{false, true} {
		t.Run(fmt.Sprintf("used=%v", used), func(t *testing.T) {
			for k := 0; ; k++ {
				mem := vfs.NewMem()
				l := newLedger(t.Context())
				if used {
					s := open(t, small(mem))
					if err := l.script(s); err != nil {
						t.Fatal(err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				fs := newFaultFS(mem)
				hook, hit := failNth(k, syscall.EIO)
				fs.set(hook)
				s, err := embedded.Open(small(fs))
				fs.set(nil)
				if err == nil {
					l.check(t, s)
					if err := s.Close(); err != nil {
						t.Fatalf("%s: Close: %v", hit(), err)
					}
				} else if !errors.Is(err, store.ErrUnavailable) {
					t.Fatalf("%s: Open: %v, want %v", hit(), err, store.ErrUnavailable)
				}
				s = open(t, small(fs))
				l.check(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if hit() == "" {
					t.Logf("%d changes", k)
					return
				}
			}
		})
	}
}

// TestEachOperationFault runs a delivery and a drain with the k-th operation failing.
func TestEachOperationFault(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		ctx := t.Context()
		engine := open(t, small(vfs.NewMem()))
		defer engine.Close()
		faulty := wrap(store.Single(engine))
		s := faulty.Mail.Local
		ids := mail.NewIDSource(nil)
		acked := map[mail.MessageID]bool{}
		for _, size := range []int{1000, 50_000} {
			id := ids.Next()
			err := deliver(ctx, s, id, benchMailbox(0), ledgerData(id, size))
			acked[id] = err == nil
			if errors.Is(err, store.ErrOutcomeUnknown) || errors.Is(err, store.ErrUnavailable) {
				acked[id] = deliver(ctx, s, id, benchMailbox(0), ledgerData(id, size)) == nil
			}
		}
		present := map[mail.MessageID]bool{}
		rows, err := storetest.List(ctx, engine, benchMailbox(0), 10)
		if err != nil {
			t.Fatal(err)
		}
		var all []mail.MessageID
		for _, m := range rows {
			present[m.ID] = true
			all = append(all, m.ID)
			if _, data, err := storetest.Read(ctx, engine, m.ID); err != nil || int64(len(data)) != m.Size {
				t.Fatalf("message %s: %d octets, want %d, %v", m.ID, len(data), m.Size, err)
			}
		}
		for id, ok := range acked {
			if ok && !present[id] {
				t.Fatalf("acknowledged message %s is lost", id)
			}
		}
		if err := s.RemoveMessages(ctx, benchMailbox(0), all); err != nil {
			if err := s.RemoveMessages(ctx, benchMailbox(0), all); err != nil {
				t.Fatal(err)
			}
		}
		if rows, err := storetest.List(ctx, engine, benchMailbox(0), 10); err != nil || len(rows) != 0 {
			t.Fatalf("after the drain: %v, %v", rows, err)
		}
		if _, err := faulty.Upkeep.Local.Sweep(ctx, time.Now().Add(time.Hour)); err != nil {
			if _, err := faulty.Upkeep.Local.Sweep(ctx, time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range all {
			if _, _, err := storetest.Read(ctx, engine, id); !errors.Is(err, store.ErrNotFound) {
				t.Fatalf("content %s after Sweep: %v", id, err)
			}
		}
	})
}
