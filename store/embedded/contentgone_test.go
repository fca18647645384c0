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

// A start refuses a folder whose contents were moved away, or whose disk is not mounted, again and again, and serves the folder
// once the contents are back, or the operator has given them up. A folder without large messages starts in any case.
func TestContentsGone(t *testing.T) {
	for name, size := range map[string]int{"large": 300_000, "small": 1000} {
		for _, left := range []string{"nothing", "empty folder", "another disk"} {
			t.Run(name+", "+left, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "data")
				cfg := embedded.Config{Dir: dir, Compression: "none"}
				s := open(t, cfg)
				if _, err := newLedger(t.Context()).deliver(s, size, 0); err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				content, away := filepath.Join(dir, "content"), filepath.Join(t.TempDir(), "away")
				if err := os.Rename(content, away); err != nil {
					t.Fatal(err)
				}
				inside := map[string]string{"empty folder": "", "another disk": "lost+found"}
				if name, ok := inside[left]; ok {
					if err := os.MkdirAll(filepath.Join(content, name), 0o700); err != nil {
						t.Fatal(err)
					}
				}
				if gone, _, err := embedded.ContentsGone(dir); !gone || err != nil {
					t.Errorf("ContentsGone: %v, %v", gone, err)
				}
				if name == "small" {
					s = open(t, cfg)
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					if gone, _, err := embedded.ContentsGone(dir); gone || err != nil {
						t.Errorf("after a start, ContentsGone: %v, %v", gone, err)
					}
					return
				}
				for range 2 {
					s, err := embedded.Open(cfg)
					if err == nil {
						s.Close()
					}
					if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), content) {
						t.Errorf("Open: %v", err)
					}
				}
				if err := os.RemoveAll(content); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(away, content); err != nil {
					t.Fatal(err)
				}
				s = open(t, cfg)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(os.RemoveAll(content), os.MkdirAll(filepath.Join(content, "tmp"), 0o700)); err != nil {
					t.Fatal(err)
				}
				s = open(t, cfg)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// Fresh disks at the places of the database and of the contents begin a new folder.
func TestFreshDisks(t *testing.T) {
	cfg := embedded.Config{Dir: filepath.Join(t.TempDir(), "data"), Compression: "none"}
	for _, name := range []string{"lost+found", "content/lost+found", "content/.snapshot", "db/lost+found"} {
		if err := os.MkdirAll(filepath.Join(cfg.Dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	l := newLedger(t.Context())
	for range 2 {
		s := open(t, cfg)
		if _, err := l.deliver(s, 300_000, 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(cfg.Dir, "FORMAT")); err != nil {
		t.Fatal(err)
	}
	if s, err := embedded.Open(cfg); err == nil {
		s.Close()
		t.Error("a folder in use without FORMAT was opened")
	}
}
