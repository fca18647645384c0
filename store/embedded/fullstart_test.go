package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// mountDisk mounts a file system in memory with the given options.
func mountDisk(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting a small disk: %v (needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// fillOctets takes all the space of a disk; the returned function frees the space.
func fillOctets(t *testing.T, disk string) (back func()) {
	t.Helper()
	name := filepath.Join(disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		err = nil
	}
	return func() { os.Remove(name) }
}

// fillInodes takes all the names of a disk.
func fillInodes(t *testing.T, disk string) (back func()) {
	t.Helper()
	dir := filepath.Join(disk, "names")
	err := os.Mkdir(dir, 0o700)
	for i := 0; err == nil; i++ {
		err = os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), nil, 0o600)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() { os.RemoveAll(dir) }
}

// TestStartOnFullDisk starts on a disk without a free octet, or without a free name: mail can be read, and
// writes go on by themselves when the disk has space.
func TestStartOnFullDisk(t *testing.T) {
	for name, fill := range map[string]func(*testing.T, string) func(){"octets": fillOctets, "inodes": fillInodes} {
		for _, crashed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, crashed=%v", name, crashed), func(t *testing.T) {
				disk := mountDisk(t, "size=48m,nr_inodes=600")
				cfg := embedded.Config{Dir: filepath.Join(disk, "data"), MemTableSize: 1 << 20, Reserve: 8 << 20, SpaceEvery: time.Hour}
				s := open(t, cfg)
				l := newLedger(t.Context())
				if err := l.script(s); err != nil {
					t.Fatal(err)
				}
				if crashed {
					image := filepath.Join(disk, "image")
					if err := os.CopyFS(image, os.DirFS(cfg.Dir)); err != nil {
						t.Fatal(err)
					}
					defer s.Close()
					cfg.Dir = image
				} else if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				back := fill(t, disk)
				s = open(t, cfg)
				defer func() {
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				}()
				f := l.snapshot()
				if err := verify(l.ctx, s, f, f); err != nil {
					t.Errorf("reading on a full disk: %v", err)
				}
				id := l.ids.Next()
				if err := deliver(l.ctx, s, id, benchMailbox(9), ledgerData(id, 5000)); !errors.Is(err, store.ErrFull) {
					t.Errorf("deliver: %v, want %v", err, store.ErrFull)
				}
				back()
				l.check(t, s)
				rows, err := storetest.List(l.ctx, s, benchMailbox(0), 100)
				if err != nil || len(rows) == 0 {
					t.Fatalf("%d messages, %v", len(rows), err)
				}
				if err := l.remove(s, 0, []mail.MessageID{rows[0].ID}...); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
