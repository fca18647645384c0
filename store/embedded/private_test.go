package embedded_test

import (
	"io/fs"
	"path/filepath"
	"syscall"
	"testing"

	"popelago/store/embedded"
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
