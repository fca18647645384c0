package embedded

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
)

// An earlier version reads the marks in the form of its own, and a mark that an earlier version has moved stays after its end.
func TestMarksOfEarlierVersions(t *testing.T) {
	clock := newTestClock(time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC))
	cfg := Config{Dir: "data", FS: vfs.NewMem(), Now: clock.now, Settle: -1}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	marks := []store.Mark{{Name: "a", Position: store.Position{At: clock.now()}}, {Name: "b", Position: store.Position{At: clock.now()}}}
	if err := s.AdvanceMarks(t.Context(), "list", marks, time.Hour); err != nil {
		t.Fatal(err)
	}
	err = s.engine.link.read("read a mark", func(db *pebble.DB) error {
		key := append(markList("list"), "b"...)
		v, err := get(db, key)
		if err != nil || len(v) != markLen || v[0] != rowVersion {
			t.Errorf("the mark: %x, %v", v, err)
			return err
		}
		v[8]++ // a microsecond later, as an earlier version moves a mark
		return db.Set(key, v, pebble.Sync)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // the clock of a server that was off is trusted
		t.Fatal(err)
	}
	clock.set(clock.now().Add(2 * time.Hour))
	if s, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	if err := s.AddRecords(t.Context(), store.JournalQueue, nil, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	left, err := s.Marks(t.Context(), "list")
	if err != nil || len(left) != 1 || left[0].Name != "b" || !left[0].At.After(marks[1].At) {
		t.Errorf("marks %v, %v; want the mark that was moved", left, err)
	}
}
