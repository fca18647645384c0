package trace_test

import (
	"context"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/event"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/trace"
)

// Records are personal data: those of a journal that was switched off go like all others.
func TestDisabledJournalsExpire(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	folder := vfs.NewMem()
	const day = 24 * time.Hour
	begin := func(cfg trace.Config) (*embedded.Store, *trace.Keeper) {
		t.Helper()
		st, err := embedded.Open(embedded.Config{Dir: "data", FS: folder, MaxStop: -1, Settle: -1, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Place.Now = func() time.Time { return now }
		k, err := trace.New(cfg, store.Single(st), nil)
		if err != nil {
			t.Fatal(err)
		}
		return st, k
	}
	cfg := on()
	st, k := begin(cfg)
	k.Happened(event.Event{Kind: event.Removed, Address: "alice@example.test"})
	k.Close(t.Context())
	made := now
	rows := func(j store.JournalName) int {
		t.Helper()
		found, _, err := st.Records(t.Context(), j, "aalice@example.test", store.DayOf(made), store.Record{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	if rows(store.JournalTrace) != 1 || rows(store.JournalAudit) != 1 {
		t.Fatalf("%d and %d rows", rows(store.JournalTrace), rows(store.JournalAudit))
	}
	waiting := store.Record{Key: "aalice@example.test", At: now, ID: [16]byte{1}, Data: []byte("x")}
	if err := st.AddRecords(t.Context(), store.JournalQueue, []store.Record{waiting}, day); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	cfg.Trace.Enabled, cfg.Audit.Enabled = false, false
	now = now.Add(cfg.Trace.Keep + 48*time.Hour)
	st, k = begin(cfg)
	defer st.Close()
	defer k.Close(context.Background())
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go k.Expire(ctx, day)
	mailtest.WaitFor(t, time.Minute, func() error {
		if rows(store.JournalTrace) > 0 || rows(store.JournalQueue) > 0 {
			return context.DeadlineExceeded
		}
		return nil
	})
	if rows(store.JournalAudit) != 1 {
		t.Error("the audit is kept for longer, and lost its record")
	}
}
