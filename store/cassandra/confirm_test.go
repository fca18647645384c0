package cassandra

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// That reads have to be confirmed cannot be written down: they are all the same, and the absence
// of the file is nobody's order to stop. Once there is a file, removing it is.
func TestConfirmingWithoutItsFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	s := &engine{cfg: Config{SpoolDir: missing, FailoverAfter: time.Hour, Logger: slog.New(slog.DiscardHandler)}}
	s.failover.away = time.Now().Add(-time.Minute)
	s.beginConfirming(time.Now())
	s.confirm(t.Context(), time.Now())
	if !s.failover.confirming.Load() {
		t.Fatal("reads are not confirmed any more, though nobody said so")
	}
	if err := os.Mkdir(missing, 0o700); err != nil {
		t.Fatal(err)
	}
	s.confirm(t.Context(), time.Now())
	if _, err := os.Stat(s.confirmPath()); err != nil || !s.failover.confirming.Load() {
		t.Fatalf("the file was not written when that was possible: %v", err)
	}
	if err := os.Remove(s.confirmPath()); err != nil {
		t.Fatal(err)
	}
	s.confirm(t.Context(), time.Now())
	if s.failover.confirming.Load() {
		t.Error("the operator removed the file, and reads are still confirmed")
	}
}
