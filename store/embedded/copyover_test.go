package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
	"popelago/store/embedded"
)

// TestOlderCopyOverFolder: Open refuses a folder with an older copy put over its files. The mixture would
// be served like the folder before the copy.
func TestOlderCopyOverFolder(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := open(t, ordinary(fs))
	if err := newLedger(t.Context()).script(s); err != nil {
		t.Fatal(err)
	}
	copies := map[string]*vfs.MemFS{"running": copyOf(fs)}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	copies["closed"] = copyOf(fs)
	for range 2 {
		s := open(t, ordinary(fs))
		if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, older := range copies {
		if p := phase(t, older); p != name {
			t.Errorf("the phase of the older copy is %s, want %s", p, name)
		}
		mixed := copyOf(fs)
		for _, file := range files(t, older, "data") {
			writeFile(t, mixed, file, readFile(t, older, file))
		}
		s, err := embedded.Open(ordinary(mixed))
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "OPTIONS-") {
			t.Errorf("%s: Open: %v, want %v naming the options", name, err, store.ErrCorrupt)
		}
	}
}
