package embedded_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

// Examine reports the faults with which Open refuses a folder, and changes nothing.
func TestExamine(t *testing.T) {
	one := func(t *testing.T, dir, pattern string) string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(dir, "db", pattern))
		if err != nil || len(names) == 0 {
			t.Fatal(err, names)
		}
		return names[0]
	}
	for name, test := range map[string]struct {
		harm func(t *testing.T, dir string)
		want error
		text string
	}{
		"sound": {func(*testing.T, string) {}, nil, ""},
		"newer format": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "FORMAT"), "popelago embedded store, format 9\n")
		}, embedded.ErrNewerFormat, "FORMAT"},
		"no format": {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "FORMAT")) }, store.ErrCorrupt, "FORMAT"},
		"no table":  {func(t *testing.T, dir string) { remove(t, one(t, dir, "*.sst")) }, store.ErrCorrupt, ".sst"},
		"short table": {func(t *testing.T, dir string) {
			if err := os.Truncate(one(t, dir, "*.sst"), 100); err != nil {
				t.Fatal(err)
			}
		}, store.ErrCorrupt, ".sst"},
		"no manifest": {func(t *testing.T, dir string) { remove(t, one(t, dir, "MANIFEST-*")) }, store.ErrCorrupt, "MANIFEST"},
		"no database": {func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, "db")); err != nil {
				t.Fatal(err)
			}
		}, store.ErrCorrupt, ""},
		"bad state": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "STATE"), "phase closed\n") }, store.ErrCorrupt, "STATE"},
		"no state":  {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "STATE")) }, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			s := open(t, embedded.Config{Dir: dir})
			if _, err := deliverSome(t, s, 3); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			test.harm(t, dir)
			before := listing(t, dir)
			used, err := embedded.Examine(t.Context(), dir)
			if !used || !errors.Is(err, test.want) || test.want == nil && err != nil || err != nil && !strings.Contains(err.Error(), test.text) {
				t.Errorf("Examine: %v, %v; want %v with %q", used, err, test.want, test.text)
			}
			if after := listing(t, dir); after != before {
				t.Errorf("the folder has changed from\n%s\nto\n%s", before, after)
			}
			s, openErr := embedded.Open(embedded.Config{Dir: dir})
			if openErr == nil {
				defer s.Close()
			}
			if (openErr == nil) != (err == nil) {
				t.Errorf("Open: %v, Examine: %v", openErr, err)
			}
		})
	}
}

// A folder that was never in use has no faults, and neither has the folder of a store at work.
func TestExamineBesideAStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 {
		if used, err := embedded.Examine(t.Context(), dir); used || err != nil {
			t.Errorf("a new folder: %v, %v", used, err)
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, embedded.Config{Dir: dir, MemTableSize: 256 << 10, StateEvery: 1e6})
	defer s.Close()
	done := make(chan error, 1)
	go func() {
		_, err := deliverSome(t, s, 300)
		done <- err
	}()
	for looks := 0; ; looks++ {
		select {
		case err := <-done:
			if err != nil || looks == 0 {
				t.Errorf("%d looks, %v", looks, err)
			}
			return
		default:
		}
		if used, err := embedded.Examine(t.Context(), dir); !used || err != nil {
			t.Fatalf("look %d: %v, %v", looks, used, err)
		}
	}
}

// deliverSome delivers n messages.
func deliverSome(t *testing.T, s *embedded.Store, n int) (last mail.MessageID, err error) {
	l := newLedger(t.Context())
	for range n {
		if last, err = l.deliver(s, 20_000, 0); err != nil {
			return last, err
		}
	}
	return last, nil
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// listing returns the names, times and modes of all files below a folder.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				all.WriteString(path + " " + info.ModTime().String() + " " + info.Mode().String() + "\n")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
