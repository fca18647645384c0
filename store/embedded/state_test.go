package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store/embedded"
)

func phase(t *testing.T, fs vfs.FS) string {
	t.Helper()
	for line := range strings.Lines(string(readFile(t, fs, "data/STATE"))) {
		if p, ok := strings.CutPrefix(line, "phase "); ok {
			return strings.TrimSpace(p)
		}
	}
	return "none"
}

// TestPhases: the state says whether the folder was closed in order.
func TestPhases(t *testing.T) {
	fs := vfs.NewMem()
	for range 3 {
		s := open(t, ordinary(fs))
		if p := phase(t, fs); p != "running" {
			t.Errorf("while open the phase is %s", p)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if p := phase(t, fs); p != "closed" {
			t.Errorf("after Close the phase is %s", p)
		}
	}
}

// TestCrashInClose crashes before every change that Close makes, and before every change of the next
// opening: no message is lost, and no damage is reported.
func TestCrashInClose(t *testing.T) {
	mem := vfs.NewCrashableMem()
	fs := newFaultFS(mem)
	l := newLedger(t.Context())
	rng := rand.New(rand.NewPCG(5, 6))
	var mu sync.Mutex
	var crashes []crash
	s := open(t, small(fs))
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	fs.set(func(op, name string) error {
		mu.Lock()
		defer mu.Unlock()
		for _, percent := range []int{0, 50, 100} {
			c := crash{before: l.snapshot(), after: l.snapshot(), at: fmt.Sprintf("%s %s", op, name)}
			c.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
			crashes = append(crashes, c)
		}
		return nil
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, small(fs))
	fs.set(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d crashes", len(crashes))
	for _, c := range crashes {
		c.recover(t, rng)
	}
}

// TestFaultInClose fails each change that Close makes, once and from then on: the folder opens
// afterwards, with all messages.
func TestFaultInClose(t *testing.T) {
	for _, stays := range []bool{false, true} {
		for k := 0; ; k++ {
			mem := vfs.NewMem()
			fs := newFaultFS(mem)
			s := open(t, small(fs))
			l := newLedger(t.Context())
			if err := l.script(s); err != nil {
				t.Fatal(err)
			}
			n, hit := 0, ""
			var mu sync.Mutex
			fs.set(func(op, name string) error {
				mu.Lock()
				defer mu.Unlock()
				n++
				// A full disk still removes.
				if n == k+1 || stays && n > k && op != "remove" && op != "sync" && op != "opendir" {
					hit = op + " " + name
					return syscall.ENOSPC
				}
				return nil
			})
			closeErr := s.Close()
			fs.set(nil)
			f := l.snapshot()
			s, err := embedded.Open(small(mem))
			if err != nil {
				t.Fatalf("%s failed (%v), Close: %v, then Open: %v", hit, stays, closeErr, err)
			}
			if err := verify(t.Context(), s, f, f); err != nil {
				t.Fatalf("%s failed (%v), Close: %v: %v", hit, stays, closeErr, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if hit == "" {
				break
			}
		}
	}
}

// TestOtherVersion: a version without STATE opens and changes the folder in between. The test puts an old
// STATE back into the folder.
func TestOtherVersion(t *testing.T) {
	for _, closed := range []bool{true, false} {
		fs := vfs.NewCrashableMem()
		s := open(t, small(fs))
		l := newLedger(t.Context())
		if err := l.script(s); err != nil {
			t.Fatal(err)
		}
		old := readFile(t, fs, "data/STATE")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if closed {
			old = readFile(t, fs, "data/STATE")
		}
		s = open(t, small(fs))
		if err := l.script(s); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		writeFile(t, fs, "data/STATE", old)
		s = open(t, small(fs))
		l.check(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if p := phase(t, fs); p != "closed" {
			t.Errorf("afterwards the phase is %s", p)
		}
	}
}

// TestWithoutState: a folder of a version without states opens, and has a state afterwards.
func TestWithoutState(t *testing.T) {
	image, f := stopped(t, small)
	if err := image.Remove("data/STATE"); err != nil {
		t.Fatal(err)
	}
	s := open(t, small(image))
	if err := verify(t.Context(), s, f, f); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p := phase(t, image); p != "closed" {
		t.Errorf("afterwards the phase is %s", p)
	}
}

// TestStateOfLaterVersion: a state in an unknown form counts as no state.
func TestStateOfLaterVersion(t *testing.T) {
	image, f := stopped(t, small)
	writeFile(t, image, "data/STATE", []byte("popelago embedded store, state 2\nend 14f252fc\n"))
	s, err := embedded.Open(small(image))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := verify(t.Context(), s, f, f); err != nil {
		t.Error(err)
	}
}

// TestCopiedFolder: a copy of a closed folder opens like the folder, with different times of files and more
// files beside the database.
func TestCopiedFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := open(t, embedded.Config{Dir: dir})
	l := newLedger(t.Context())
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dest, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"note", "db/.nfs0001"} {
		if err := os.WriteFile(filepath.Join(dest, name), []byte("something"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, embedded.Config{Dir: dest})
	defer s.Close()
	l.check(t, s)
}

// TestStateFull: while the disk has no room for the state the store works, and the state is back when the
// disk has room.
func TestStateFull(t *testing.T) {
	mem := vfs.NewMem()
	fs := newFaultFS(mem)
	s := open(t, small(fs))
	l := newLedger(t.Context())
	fs.set(func(op, name string) error {
		if op == "create" && strings.HasSuffix(name, "STATE.tmp") {
			return syscall.ENOSPC
		}
		return nil
	})
	if err := l.script(s); err != nil {
		t.Fatal(err)
	}
	if _, err := mem.Stat("data/STATE"); err == nil {
		t.Error("a state is left that could not be brought up to date")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, small(fs))
	l.check(t, s)
	fs.set(nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p := phase(t, mem); p != "closed" {
		t.Errorf("with space again the phase is %s", p)
	}
	s = open(t, small(mem))
	defer s.Close()
	l.check(t, s)
}
