package embedded_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// TestPrivateFiles: no user but the owner can read or write the files of the folder, with any umask.
func TestPrivateFiles(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "above", "data")
	s := open(t, embedded.Config{Dir: dir, MemTableSize: 64 << 10})
	defer s.Close()
	if err := newLedger(t.Context()).script(s); err != nil {
		t.Fatal(err)
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the mode %o, want %o", path, got, want)
		}
		return nil
	})
	if err != nil || files < 8 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A named pipe in place of a file or folder ends a start with an error that names the pipe, and a retrieval likewise: nothing waits
// for somebody who writes into the pipe.
func TestPipeInTheFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	cfg := embedded.Config{Dir: dir, Compression: "none"}
	s := open(t, cfg)
	id, err := newLedger(t.Context()).deliver(s, 300_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	one := func(pattern string) string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		return found[0]
	}
	kept := filepath.Join(t.TempDir(), "kept")
	replaced := func(name string, f func()) {
		t.Helper()
		if err := errors.Join(os.Rename(name, kept), syscall.Mkfifo(name, 0o600)); err != nil {
			t.Fatal(err)
		}
		f()
		if err := errors.Join(os.Remove(name), os.Rename(kept, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"FORMAT", "STATE", "content", "db", "db/marker.format-version.*"} {
		name := one(pattern)
		replaced(name, func() {
			s, err := embedded.Open(cfg)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: Open: %v", pattern, err)
			}
			embedded.Examine(t.Context(), dir) // ends, with a finding or without
			embedded.ContentsGone(dir)
		})
	}
	s = open(t, cfg)
	defer s.Close()
	replaced(one("content/??/*.msg"), func() {
		if _, _, err := storetest.Read(t.Context(), s, id); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the message: %v, want %v", err, store.ErrUnavailable)
		}
	})
}
