package app_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"runtime/pprof"
	"testing"

	"popelago/app"
)

// writers counts the goroutines that write events.
func writers(t *testing.T) int {
	t.Helper()
	var stacks bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
		t.Fatal(err)
	}
	return bytes.Count(stacks.Bytes(), []byte("popelago/event.(*Buffer).run("))
}

// TestFailedNew: a New that fails half way leaves no writer of events, and the data folder is free again.
func TestFailedNew(t *testing.T) {
	before := writers(t)
	cfg := devConfig(t)
	bad := cfg.Clone()
	bad.Events.Enabled, bad.Events.Webhooks, bad.Events.Keys = true, []string{"crm=https://hooks.example.org/"}, filepath.Join(t.TempDir(), "missing")
	if _, err := app.New(t.Context(), bad, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("New accepts webhooks without keys")
	}
	if n := writers(t); n != before {
		t.Errorf("writers of events: %d before, %d after", before, n)
	}
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if n := writers(t); n == before {
		t.Error("the test does not see the writers of events")
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
