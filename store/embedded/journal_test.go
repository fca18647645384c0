package embedded_test

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
)

// Days before keep end with the first write of a day by a settled clock, unless the clock is not trusted.
func TestJournalDaysEnd(t *testing.T) {
	var passed atomic.Int64 // the store reads the clock in the background
	now := func() time.Time {
		return time.Date(2026, 11, 26, 23, 0, 0, 0, time.UTC).Add(time.Duration(passed.Load()))
	}
	cfg := embedded.Config{Dir: "data", FS: vfs.NewMem(), Settle: -1, Now: now}
	s := open(t, cfg)
	defer func() { s.Close() }()
	const day = 24 * time.Hour
	add := func(age time.Duration) store.Record {
		t.Helper()
		r := store.Record{Key: "k", At: now().Add(-age), ID: [16]byte{1}, Data: []byte("x")}
		if err := s.AddRecords(t.Context(), store.JournalTrace, []store.Record{r}, 3*day); err != nil {
			t.Fatal(err)
		}
		return r
	}
	there := func(r store.Record) bool {
		t.Helper()
		rows, _, err := s.Records(t.Context(), store.JournalTrace, r.Key, store.DayOf(r.At), store.Record{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(rows) == 1
	}
	fresh, kept := add(0), add(3*day)
	if !there(fresh) || !there(kept) {
		t.Fatal("a row went too early")
	}
	again := func(later time.Duration) { // the clock of a server that was off is trusted
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		passed.Add(int64(later))
		s = open(t, cfg)
	}
	again(time.Hour) // the next day
	add(0)
	if !there(fresh) || there(kept) {
		t.Errorf("after a day: fresh %v, kept %v", there(fresh), there(kept))
	}
	passed.Add(int64(100 * day)) // the clock jumps, and is not trusted
	if s.CompareClock(t.Context()) == nil {
		t.Fatal("the clock is still trusted")
	}
	jumped := add(0)
	if !there(fresh) || !there(jumped) {
		t.Errorf("after a jump of the clock: fresh %v, new %v", there(fresh), there(jumped))
	}
}

// A day whose end could not be written ends with the next write, and not a day later.
func TestJournalDayEndsAfterFailure(t *testing.T) {
	var passed atomic.Int64
	now := func() time.Time {
		return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC).Add(time.Duration(passed.Load()))
	}
	fs := newFaultFS(vfs.NewMem())
	s := open(t, embedded.Config{Dir: "data", FS: fs, Settle: -1, Now: now})
	defer func() { s.Close() }()
	const day = 24 * time.Hour
	add := func() (store.Record, error) {
		r := store.Record{Key: "k", At: now(), ID: [16]byte{1}, Data: []byte("x")}
		return r, s.AddRecords(t.Context(), store.JournalTrace, []store.Record{r}, 3*day)
	}
	old, err := add()
	if err != nil {
		t.Fatal(err)
	}
	passed.Add(int64(5 * day))
	if err := s.TrustClock(t.Context()); err != nil {
		t.Fatal(err)
	}
	fs.set(func(string, string) error { return syscall.EIO })
	if _, err := add(); err == nil {
		t.Fatal("a write to a broken disk succeeded")
	}
	fs.set(nil)
	mailtest.WaitFor(t, time.Minute, func() error { _, err := add(); return err })
	rows, _, err := s.Records(t.Context(), store.JournalTrace, old.Key, store.DayOf(old.At), store.Record{}, 10)
	if err != nil || len(rows) != 0 {
		t.Errorf("the ended day has %d rows, %v", len(rows), err)
	}
}

// Days end below the reserve, too: their end makes room.
func TestJournalDaysEndOnAFullDisk(t *testing.T) {
	fs := newFaultFS(vfs.NewMem())
	cfg := small(fs)
	cfg.Reserve, cfg.SpaceEvery, cfg.Settle = 1000, time.Hour, -1
	s := open(t, cfg)
	defer s.Close()
	old := store.Record{Key: "k", At: time.Now().Add(-100 * time.Hour), ID: [16]byte{1}, Data: []byte("x")}
	if err := s.AddRecords(t.Context(), store.JournalTrace, []store.Record{old}, 1000*time.Hour); err != nil {
		t.Fatal(err)
	}
	fs.used.Store(&vfs.DiskUsage{AvailBytes: 999})
	if err := s.AddRecords(t.Context(), store.JournalTrace, []store.Record{old}, time.Hour); !errors.Is(err, store.ErrFull) {
		t.Errorf("a record on a full disk: %v, want %v", err, store.ErrFull)
	}
	if err := s.AddRecords(t.Context(), store.JournalTrace, nil, time.Hour); err != nil {
		t.Errorf("the end of days on a full disk: %v", err)
	}
	if rows, _, err := s.Records(t.Context(), store.JournalTrace, "k", store.DayOf(old.At), store.Record{}, 10); err != nil || len(rows) > 0 {
		t.Errorf("the old day: %v, %v", rows, err)
	}
}

// Marks that nobody moves any more end after their time, and marks that are moved or written again stay.
func TestMarksEnd(t *testing.T) {
	const day = 24 * time.Hour
	var passed atomic.Int64
	begin := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	cfg := embedded.Config{Dir: "data", FS: vfs.NewMem(), Settle: -1, Now: now}
	s := open(t, cfg)
	defer func() { s.Close() }()
	advance := func(name string, at time.Time, keep time.Duration) {
		t.Helper()
		if err := s.AdvanceMarks(t.Context(), "list", []store.Mark{{Name: name, Position: store.Position{At: at}}}, keep); err != nil {
			t.Fatal(err)
		}
	}
	want := func(when, want string) {
		t.Helper()
		if err := s.AddRecords(t.Context(), store.JournalQueue, nil, 30*day); err != nil {
			t.Fatal(err)
		}
		marks, err := s.Marks(t.Context(), "list")
		got := ""
		for _, m := range marks {
			got += m.Name
		}
		if err != nil || got != want {
			t.Errorf("%s: marks %q, %v; want %q", when, got, err, want)
		}
	}
	again := func(later time.Duration) { // the clock of a server that was off is trusted
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		passed.Add(int64(later))
		s = open(t, cfg)
	}
	for _, name := range []string{"a", "b", "c"} { // lanes of three processes
		advance(name, begin, 10*day)
	}
	want("at once", "abc")
	again(6 * day)
	advance("b", now(), 10*day)
	advance("c", begin, 10*day) // written again
	again(5 * day)
	want("after 11 days", "bc")
	passed.Add(int64(-8 * day)) // the clock of a server that runs is set back: no time counts from there
	advance("d", now(), 4*day)
	passed.Add(int64(8*day + 3*day))
	again(0)
	want("after 14 days", "bcd")
	again(6 * day)
	want("after 20 days", "")
}
