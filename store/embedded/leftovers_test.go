package embedded

import (
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
)

// After a start with a clock ahead, the files without a row go once the time has passed, though the clock has not yet
// caught up.
func TestLeftoversAfterClockAhead(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	clock := newTestClock(now.Add(10 * 24 * time.Hour))
	mem := vfs.NewMem()
	s, err := Open(Config{Dir: "data", FS: mem, Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	clock.set(now)
	clock.pass(t, s, 0)
	files := s.engine.files
	id, nonce := mail.NewIDSource(nil).Next(), [8]byte{1}
	tmp, f, err := files.create()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), files.adopt(tmp, id, nonce)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		passed time.Duration
		there  bool
	}{{0, true}, {2 * time.Hour, false}} {
		s.engine.clock.opened.running = time.Now().Add(-c.passed)
		if _, err := s.SweepOrphans(t.Context(), clock.now().Add(-time.Hour), clock.now()); err != nil {
			t.Fatal(err)
		}
		if _, err := mem.Stat(files.path(id, nonce)); (err == nil) != c.there {
			t.Errorf("the file %v after the start: %v", c.passed, err)
		}
	}
}
