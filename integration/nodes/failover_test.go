package nodes

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/enginetest"
)

// wants returns a condition: the log has the text.
func wants(log *mailtest.Log, text string) func() error {
	return func() error {
		if !strings.Contains(log.String(), text) {
			return fmt.Errorf("the log lacks %q:\n%s", text, log.String())
		}
		return nil
	}
}

// The whole local datacenter goes down: the store fails over to the other datacenter, logs the
// failover, and returns by itself. Mail accepted meanwhile is never missing: reads are confirmed
// until the local node has the missed writes.
func testFailover(t *testing.T) {
	e := newPair(t, "dc2")
	c, cfg := e.cluster, e.config("dc1")
	var log mailtest.Log
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	// A busy machine that hangs for a moment is no outage.
	cfg.Failover, cfg.FailoverAfter, cfg.Reconnect = []string{"dc2"}, 10*time.Second, 200*time.Millisecond
	cfg.SpoolDir = t.TempDir()
	enginetest.Apply(t, cfg)
	s := enginetest.Reopen(t, cfg)
	mb := enginetest.Mailbox("failover")
	before := enginetest.Message(100)
	enginetest.Put(t, s, before.ID, 100, mb)
	enginetest.Add(t, s, mb, before)
	other := enginetest.Reopen(t, e.config("dc2"))
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, other, mb, before) })

	c.Node("dc1-1").Kill()
	meanwhile := enginetest.Message(100)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		content, err := s.NewContent(t.Context())
		if err != nil {
			return err
		}
		defer content.Discard()
		if _, err := content.Write(make([]byte, 100)); err != nil {
			return err
		}
		return s.PutContent(t.Context(), meanwhile.ID, content, store.ContentInfo{})
	})
	enginetest.Add(t, s, mb, meanwhile)
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "failing over to another datacenter"))
	rows, err := enginetest.List(t.Context(), s, mb)
	if err != nil || len(rows) != 2 || rows[1].Origin != "dc2" {
		t.Fatalf("through the other datacenter: %+v, %v", rows, err)
	}

	c.Node("dc1-1").Restart(t)
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "are back"))
	if _, err := os.Stat(filepath.Join(cfg.SpoolDir, "confirm-reads")); err != nil {
		if err := wants(&log, "read alone again")(); err != nil {
			t.Errorf("reads are not confirmed: %v", err)
		}
	}
	for range 20 {
		rows, err := enginetest.List(t.Context(), s, mb)
		if err == nil && len(rows) != 2 {
			t.Fatalf("back at home %d messages are listed, want 2", len(rows))
		}
		if err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "read alone again"))
	if rows, err := enginetest.List(t.Context(), s, mb); err != nil || len(rows) != 2 {
		t.Errorf("after all: %d messages: %v", len(rows), err)
	}
	after := enginetest.Message(100)
	enginetest.Put(t, s, after.ID, 100, mb)
	enginetest.Add(t, s, mb, after)
	if rows, err := enginetest.List(t.Context(), s, mb); err != nil || len(rows) != 3 || rows[2].Origin != "dc1" {
		t.Errorf("at home again: %+v, %v", rows, err)
	}
	if _, err := os.Stat(filepath.Join(cfg.SpoolDir, "confirm-reads")); err == nil {
		t.Error("the file of the confirmation still exists")
	}
}
