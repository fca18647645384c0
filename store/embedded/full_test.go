package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// TestReserve: below the reserve nothing is added, but removals and Sweep go on.
func TestReserve(t *testing.T) {
	ctx := t.Context()
	fs := newFaultFS(vfs.NewMem())
	cfg := small(fs)
	cfg.Reserve, cfg.SpaceEvery = 1000, time.Hour // Sweep alone reclaims
	s := open(t, cfg)
	defer s.Close()
	l := newLedger(ctx)
	id, err := l.deliver(s, 40_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	started, err := s.NewContent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fs.used.Store(&vfs.DiskUsage{AvailBytes: 999})
	wantFull := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrFull) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s on a full disk: %v, want %v", what, err, store.ErrFull)
		}
	}
	_, err = s.NewContent(ctx)
	wantFull("NewContent", err)
	_, err = started.Write(make([]byte, 100_000))
	wantFull("Write", err)
	started.Discard()
	wantFull("AddMessages", s.AddMessages(ctx, []store.Entry{{Mailbox: benchMailbox(0), Message: mail.Message{ID: l.ids.Next()}}})[0])
	wantFull("ChangeAddress", s.ChangeAddress(ctx, ledgerAddress, mail.MessageID{}, store.AddressChange{}))
	wantFull("PutDomain", s.PutDomain(ctx, store.Domain{Name: "a.test"}))
	if err := s.RemoveMessages(ctx, benchMailbox(0), []mail.MessageID{id}); err != nil {
		t.Fatalf("RemoveMessages on a full disk: %v", err)
	}
	if r, err := s.Sweep(ctx, time.Now().Add(time.Hour)); err != nil || r.Contents != 1 {
		t.Fatalf("Sweep on a full disk: %+v, %v", r, err)
	}
	fs.used.Store(nil)
	if _, err := l.deliver(s, 40_000, 0); err != nil {
		t.Fatalf("deliver when space is back: %v", err)
	}
}

// TestNoSpace: every write fails for want of space, for a while. Deliveries are refused, the mail can be
// read meanwhile, and deliveries go on when space is back.
func TestNoSpace(t *testing.T) {
	mem := vfs.NewMem()
	fs := newFaultFS(mem)
	s := open(t, small(fs))
	l := newLedger(t.Context())
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		fs.set(func(op, name string) error {
			if op == "create" || op == "write" || op == "mkdir" || op == "reuse" {
				return syscall.ENOSPC
			}
			return nil
		})
		for range 3 {
			id := l.ids.Next()
			err := deliver(t.Context(), s, id, benchMailbox(9), ledgerData(id, 5000))
			if !errors.Is(err, store.ErrFull) && !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Fatalf("deliver on a full disk: %v", err)
			}
		}
		f := l.snapshot()
		if err := l.retry(func() error { return verify(l.ctx, s, f, f) }); err != nil {
			t.Fatalf("reading on a full disk: %v", err)
		}
		id := l.ids.Next()
		if err := deliver(t.Context(), s, id, benchMailbox(9), ledgerData(id, 5000)); !errors.Is(err, store.ErrFull) {
			t.Fatalf("deliver on a full disk: %v, want %v", err, store.ErrFull)
		}
		fs.set(nil)
		if err := l.changePassword(s); err != nil {
			t.Fatal(err)
		}
		l.check(t, s)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, small(mem))
	defer s.Close()
	l.check(t, s)
}

// tinyDisk mounts a file system of a few MiB.
func tinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("mounting a small disk: %v (needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// TestTinyDisk fills a real file system.
func TestTinyDisk(t *testing.T) {
	for name, reserve := range map[string]int64{"reserve": 8 << 20, "no reserve": -1} {
		t.Run(name, func(t *testing.T) {
			dir := tinyDisk(t)
			filler := filepath.Join(dir, "filler")
			if err := os.WriteFile(filler, make([]byte, 6<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg := embedded.Config{Dir: filepath.Join(dir, "data"), MemTableSize: 1 << 20, Reserve: reserve}
			s := open(t, cfg)
			l := newLedger(t.Context())
			acked, failed := fillDisk(t, l, s)
			t.Logf("%d messages until the disk was full", acked)
			if reserve > 0 {
				rows, err := storetest.List(l.ctx, s, benchMailbox(0), 1000)
				if err != nil {
					t.Fatal(err)
				}
				var ids []mail.MessageID
				for _, m := range rows {
					ids = append(ids, m.ID)
				}
				l.mark(func(id mail.MessageID) { l.removeTried[ledgerKey{0, id}] = true }, ids)
				if err := s.RemoveMessages(l.ctx, benchMailbox(0), ids); err != nil {
					t.Fatalf("RemoveMessages on a full disk: %v", err)
				}
			}
			if !failed {
				t.Fatal("the disk was never full")
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			l.check(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, cfg)
			defer s.Close()
			l.check(t, s)
		})
	}
}

// fillDisk delivers until a few deliveries have failed.
func fillDisk(t *testing.T, l *ledger, s *embedded.Store) (acked int, failed bool) {
	t.Helper()
	failures := 0
	for i := 0; i < 5000 && failures < 5; i++ {
		id, mb := l.ids.Next(), i%ledgerMailboxes
		size := []int{8 << 10, 200_000}[i%2]
		l.mu.Lock()
		l.size[id] = size
		l.addTried[ledgerKey{mb, id}] = true
		l.mu.Unlock()
		info := store.ContentInfo{ReversePath: "sender@example.org", Mailboxes: []mail.MailboxID{benchMailbox(mb)}}
		err := storetest.Put(l.ctx, s, id, ledgerData(id, size), 10_000, info)
		if err == nil {
			err = s.AddMessages(l.ctx, []store.Entry{{Mailbox: benchMailbox(mb), Message: mail.Message{ID: id, Size: int64(size)}}})[0]
		}
		switch {
		case err == nil:
			acked++
			l.mark(func(id mail.MessageID) { l.addAcked[ledgerKey{mb, id}] = true }, []mail.MessageID{id})
		case errors.Is(err, store.ErrFull), errors.Is(err, store.ErrOutcomeUnknown):
			failures++
		default:
			t.Fatalf("deliver on a full disk: %v", err)
		}
	}
	return acked, failures > 0
}

// TestLocked: a second Open of a folder is refused.
func TestLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, embedded.Config{Dir: dir})
	_, err := embedded.Open(embedded.Config{Dir: dir})
	if !errors.Is(err, embedded.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("Open of an open folder: %v, want %v naming %s", err, embedded.ErrLocked, dir)
	}
	if _, err := s.ListDomains(t.Context()); err != nil {
		t.Fatalf("the first one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, embedded.Config{Dir: dir})
	defer s.Close()
}

// TestFormat: a newer or unreadable format is refused.
func TestFormat(t *testing.T) {
	for text, want := range map[string]error{
		"popelago embedded store, format 3\n": embedded.ErrNewerFormat,
		"popelago embedded store, format 0\n": store.ErrCorrupt,
		"something else\n":                    store.ErrCorrupt,
		"":                                    store.ErrCorrupt,
	} {
		dir := t.TempDir()
		s := open(t, embedded.Config{Dir: dir})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "FORMAT")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := embedded.Open(embedded.Config{Dir: dir}); !errors.Is(err, want) || !strings.Contains(err.Error(), name) {
			t.Errorf("format %q: %v, want %v naming %s", text, err, want, name)
		}
	}
}
