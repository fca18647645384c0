package embedded

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
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

// A database that is older than the contents, because it alone was restored from a copy, costs no content: the files of later
// messages stay, and the log names one. What a crash has left goes. Further starts, with and without a sweep in between, know
// the same, although the database has grown. Once the files are gone nothing remains.
func TestLeftoversOfALaterDatabase(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	clock := newTestClock(start)
	var log mailtest.Log
	cfg := Config{Dir: "data", FS: vfs.NewMem(), Now: clock.now, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	openAt := func(after time.Duration) *Store {
		t.Helper()
		clock.set(start.Add(after))
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	end := func(s *Store) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(s *Store) {
		t.Helper()
		clock.pass(t, s, 0)
		s.engine.clock.opened.running = time.Now().Add(-4 * time.Hour)
		if _, err := s.SweepOrphans(t.Context(), clock.now(), clock.now()); err != nil {
			t.Fatal(err)
		}
	}
	end(openAt(0))
	s := openAt(24 * time.Hour)
	stay := map[time.Duration]bool{10 * time.Minute: false, 5 * time.Hour: true, 23 * time.Hour: true, 25 * time.Hour: false}
	paths := map[time.Duration]string{}
	for after := range stay {
		id := mail.NewIDSource(func() time.Time { return start.Add(after) }).Next()
		tmp, f, err := s.engine.files.create()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Close(), s.engine.files.adopt(tmp, id, [8]byte{})); err != nil {
			t.Fatal(err)
		}
		paths[after] = s.engine.files.path(id, [8]byte{})
	}
	clock.pass(t, s, time.Minute)
	end(s) // before the first sweep
	for _, opened := range []time.Duration{25*time.Hour + time.Minute, 50 * time.Hour} {
		before := len(log.String())
		s := openAt(opened)
		sweep(s)
		for after, want := range stay {
			if _, err := cfg.FS.Stat(paths[after]); (err == nil) != want {
				t.Errorf("start at %v: the file of a message %v after the latest time: %v, want the file: %v", opened, after, err, want)
			}
		}
		if text := log.String()[before:]; !strings.Contains(text, "the database is older than the folder content") || !strings.Contains(text, "files=2") {
			t.Errorf("start at %v, the log: %s", opened, text)
		}
		end(s)
	}
	for after, there := range stay {
		if there {
			if err := cfg.FS.Remove(paths[after]); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := len(log.String())
	s = openAt(51 * time.Hour)
	defer end(s)
	if n := countRows(t, s, prefixGap); n != 1 {
		t.Errorf("%d gaps while the files are not yet looked for", n)
	}
	sweep(s)
	if n, text := countRows(t, s, prefixGap), log.String()[before:]; n != 0 || strings.Contains(text, "older") {
		t.Errorf("%d gaps without the files; the log: %s", n, text)
	}
}

// A start with a clock behind the contents, such as on a machine whose clock is set later, costs no content either.
func TestLeftoversOfALaterDatabaseAndAClockBehind(t *testing.T) {
	start := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	clock := newTestClock(start)
	cfg := Config{Dir: "data", FS: vfs.NewMem(), Now: clock.now}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.set(start.AddDate(-6, 0, 0))
	if s, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id := mail.NewIDSource(func() time.Time { return start.Add(5 * time.Hour) }).Next()
	tmp, f, err := s.engine.files.create()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), s.engine.files.adopt(tmp, id, [8]byte{})); err != nil {
		t.Fatal(err)
	}
	clock.set(start.Add(24 * time.Hour))
	clock.pass(t, s, 0)
	if _, err := s.SweepOrphans(t.Context(), clock.now(), clock.now()); err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.FS.Stat(s.engine.files.path(id, [8]byte{})); err != nil {
		t.Error(err)
	}
	if n := countRows(t, s, prefixGap); n != 1 {
		t.Errorf("%d gaps", n)
	}
}

// Of many files no file is removed if the database names few of them: they may be the contents of another data folder.
func TestLeftoversOfAnotherFolder(t *testing.T) {
	for n, stay := range map[int]bool{maxForeign: false, maxForeign + 1: true} {
		var log mailtest.Log
		cfg := Config{Dir: "data", FS: vfs.NewMem(), Compression: "none", Logger: slog.New(slog.NewTextHandler(&log, nil))}
		s, err := Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		files := s.engine.files
		old := mail.NewIDSource(func() time.Time { return time.Now().Add(-24 * time.Hour) })
		for range n {
			tmp, f, err := files.create()
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(f.Close(), files.adopt(tmp, old.Next(), [8]byte{})); err != nil {
				t.Fatal(err)
			}
		}
		left := func() (left int) {
			t.Helper()
			s.engine.clock.opened.running = time.Now().Add(-4 * time.Hour)
			if _, err := s.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := files.each(func(string, mail.MessageID, [8]byte) (bool, error) { left++; return true, nil }); err != nil {
				t.Fatal(err)
			}
			return left
		}
		want := map[bool]int{true: n}[stay]
		if got := left(); got != want || strings.Contains(log.String(), "may be of another data folder") != stay {
			t.Errorf("%d of %d files are left, want %d; the log: %s", got, n, want, log.String())
		}
		// A message that arrives meanwhile does not make them the contents of this folder.
		message := mail.Message{ID: mail.NewIDSource(nil).Next(), Size: 300_000, Recipient: "alice@example.test"}
		mailbox := mail.MailboxID{1}
		if err := storetest.Put(t.Context(), s, message.ID, make([]byte, 300_000), 100_000, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
			t.Fatal(err)
		}
		if err := s.AddMessages(t.Context(), []store.Entry{{Mailbox: mailbox, Message: message}})[0]; err != nil {
			t.Fatal(err)
		}
		files.suspect()
		if got := left(); got != want+1 {
			t.Errorf("%d of %d files are left beside a named one, want %d", got, n, want+1)
		}
	}
}
