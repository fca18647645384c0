package cassandra

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"
)

// An absence is read as it was written; a text with an unknown part means an absence longer than
// nodes keep hints.
func TestAbsenceText(t *testing.T) {
	left := time.Date(2026, 11, 25, 20, 15, 0, 5000, time.UTC)
	for _, a := range []absence{
		{left: left, back: left.Add(time.Hour)}, {left: left}, {back: left}, {},
		{left: left, started: starts{{"dc 2", "10.2.0.1"}: 1764100800, {"dc3", "fd00::1"}: 1764100801}},
	} {
		if got := *parseAbsence(a.text("dc1")); !reflect.DeepEqual(got, a) {
			t.Errorf("%q: %+v, want %+v", a.text("dc1"), got, a)
		}
	}
	now := left.Add(time.Minute)
	for text, want := range map[string]time.Duration{
		"left 2026-11-25T20:15:00Z\nback 2026-11-25T20:15:30Z\n": 30 * time.Second,
		"left 2026-11-25T20:15:00Z\n":                            now.Sub(left) + 5000,
		"":                                                       unknownLength,
		"12m30s\n":                                               unknownLength,
		"left 2026-11-25T20:15:00Z\nback soon\n":                 unknownLength,
		"left 2026-11-25T20:15:00Z\nback 2026-11-25T20:14:00Z\n": unknownLength, // a clock was wrong
		"left 2026-11-26T20:15:00Z\n":                            unknownLength,
		"\x00\x00\x00":                                           unknownLength,
	} {
		if got := parseAbsence(text).length(now); got != want {
			t.Errorf("%q was %v long, want %v", text, got, want)
		}
	}
}

// An unreadable file means an absence of unknown length.
func TestRecallUnreadable(t *testing.T) {
	s := failing(t, t.TempDir())
	if s.confirmation.file.load() != nil {
		t.Error("an absence is recalled without a file")
	}
	if err := os.Mkdir(s.confirmation.file.path, 0o700); err != nil {
		t.Fatal(err)
	}
	if a := s.confirmation.file.load(); a == nil || a.length(time.Now()) != unknownLength {
		t.Errorf("an unreadable file: %+v", a)
	}
}

// The file is replaced as a whole, and no temporary file remains.
func TestWriteDurably(t *testing.T) {
	s := failing(t, t.TempDir())
	path := s.cfg.spoolPath("x")
	for _, text := range []string{"a longer text", "short"} {
		if err := writeDurably(path, text); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if files, err := os.ReadDir(s.cfg.SpoolDir); err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// A server finds the nodes that an earlier server knew.
func TestKnownNodes(t *testing.T) {
	s := failing(t, t.TempDir())
	seen := time.Date(2026, 11, 25, 20, 15, 0, 0, time.UTC)
	s.peers.set(map[string][]string{"dc1": {"10.1.0.1:9042"}, "dc 2": {"10.2.0.1:9042", "[fd00::1]:9042"}}, seen)
	started := starts{{"dc 2", "10.2.0.1"}: 1764100800}
	s.peers.setStarts(started)
	s.peers.save()
	s = failing(t, s.cfg.SpoolDir)
	if got := s.peers.starts(); !maps.Equal(got, started) {
		t.Errorf("known generations: %v", got)
	}
	if got := s.peers.of("dc 2", []string{"10.2.0.1:9042", "host"}); len(got) != 3 || !slices.Contains(got, "[fd00::1]:9042") || got[2] != "host" {
		t.Errorf("known are %q", got)
	}
	if !s.peers.lastSeen().Equal(seen) {
		t.Errorf("last seen %v", s.peers.lastSeen())
	}
}
