package cassandratest_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"popelago/cassandratest"
)

// A folder is filled once. A failed filling leaves nothing, so that the next call fills again.
func TestCached(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache) // the cache folder of systems other than Linux is in it
	broken := errors.New("broken")
	filled := 0
	fill := func(err error) func(string) error {
		return func(dir string) error {
			filled++
			return errors.Join(err, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
		}
	}
	if _, err := cassandratest.Cached("x-1", fill(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	for range 2 {
		dir, err := cassandratest.Cached("x-1", fill(nil))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "download-*")); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	}
	if filled != 2 {
		t.Errorf("filled %d times, want 2", filled)
	}
}
