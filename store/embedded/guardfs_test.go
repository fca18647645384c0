package embedded

import (
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestBrokenDatabaseWritesTables: after a failed write to a log, tables are still written, so that compactions
// end; logs and manifests are not, and nothing is behind the fence.
func TestBrokenDatabaseWritesTables(t *testing.T) {
	mem := vfs.NewMem()
	g := newGuardFS(mem, func(error) {})
	g.opening.Store(false)
	g.fail(syscall.EIO)
	write := func(name string) {
		t.Helper()
		f, err := g.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte("octets")); err != nil {
			t.Error(err)
		}
		if err := f.Sync(); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	holds := func(name, want string) {
		t.Helper()
		got := ""
		if f, err := mem.Open(name); err == nil {
			b, err := io.ReadAll(f)
			if err != nil {
				t.Fatal(err)
			}
			got = string(b)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	write("000001.sst")
	write("000002.log")
	write("MANIFEST-000003")
	holds("000001.sst", "octets")
	holds("000002.log", "")
	holds("MANIFEST-000003", "")
	g.fence()
	write("000004.sst")
	holds("000004.sst", "")
}

// TestGiveUpDuringReplacement: Close does not wait for a database that is being replaced.
func TestGiveUpDuringReplacement(t *testing.T) {
	l := &link{}
	l.mu.RLock()
	replaced := make(chan struct{})
	go func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(replaced)
	}()
	for l.mu.TryRLock() { // until the replacement waits
		l.mu.RUnlock()
		time.Sleep(time.Millisecond)
	}
	given := make(chan struct{})
	go func() {
		l.giveUp()
		close(given)
	}()
	select {
	case <-given:
	case <-time.After(time.Minute):
		t.Error("giveUp waits for the replacement")
	}
	l.mu.RUnlock()
	<-replaced
}
