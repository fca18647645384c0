package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/store"
	"popelago/store/embedded"
)

// A start refuses the contents of another folder, again and again, and changes nothing. With the right contents the folder
// opens, also without the file of the identity, as in a folder of an earlier version.
func TestContentsOfAnotherFolder(t *testing.T) {
	cfg := make([]embedded.Config, 2)
	ledgers := make([]*ledger, 2)
	for i := range cfg {
		cfg[i] = embedded.Config{Dir: filepath.Join(t.TempDir(), "data"), Compression: "none"}
		s := open(t, cfg[i])
		ledgers[i] = newLedger(t.Context())
		if err := ledgers[i].script(s); err != nil {
			t.Fatal(err)
		}
		if _, err := ledgers[i].deliver(s, 300_000, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	content := func(i int) string { return filepath.Join(cfg[i].Dir, "content") }
	swap := func() {
		t.Helper()
		kept := filepath.Join(t.TempDir(), "kept")
		if err := errors.Join(os.Rename(content(0), kept), os.Rename(content(1), content(0)), os.Rename(kept, content(1))); err != nil {
			t.Fatal(err)
		}
	}
	swap()
	for range 2 {
		for i := range cfg {
			s, err := embedded.Open(cfg[i])
			if err == nil {
				s.Close()
			}
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), filepath.Join(content(i), "FOLDER")) {
				t.Errorf("Open: %v, want %v naming the file", err, store.ErrCorrupt)
			}
		}
	}
	swap()
	for _, text := range []string{"", "rotten", "none"} {
		for i := range cfg {
			name := filepath.Join(content(i), "FOLDER")
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
			if text != "none" {
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, cfg[i])
			ledgers[i].check(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap()
	if _, err := embedded.Open(cfg[0]); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("after the files were written again, Open: %v, want %v", err, store.ErrCorrupt)
	}
}
