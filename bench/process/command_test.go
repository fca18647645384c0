package process_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"popelago/bench/process"
)

// A folder is removed with its files, also after an error, unless it is kept.
func TestInFolder(t *testing.T) {
	broken := errors.New("broken")
	for _, keep := range []bool{false, true} {
		var made string
		err := process.InFolder(t.TempDir(), "x", keep, func(dir string) error {
			made = dir
			return errors.Join(broken, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
		})
		if _, serr := os.Stat(made); !errors.Is(err, broken) || !filepath.IsAbs(made) || (serr == nil) != keep {
			t.Errorf("keep %t: %v, %v", keep, err, serr)
		}
	}
}
