package embedded_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
	"popelago/store/embedded"
)

// The rows of a key are one list, however many volumes and starts of the server they are from, and each row is
// there once, also if it was added again into a later volume.
func TestJournalVolumes(t *testing.T) {
	cfg := embedded.Config{Dir: "data", FS: vfs.NewMem()}
	s := open(t, cfg)
	defer func() { s.Close() }()
	noon := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	const batch = 700 // more than a volume
	var want []store.Record
	for part := range 3 {
		rows := make([]store.Record, batch)
		for i := range rows {
			rows[i] = store.Record{Key: "other", At: noon.Add(time.Duration(i) * time.Second), ID: [16]byte{byte(part)}, Data: make([]byte, store.MaxRecordData)}
			if i%7 == part {
				rows[i].Key = "k"
				want = append(want, rows[i])
			}
		}
		for range 2 {
			if err := s.AddRecords(t.Context(), store.JournalTrace, rows, 48*time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, cfg)
	}
	slices.SortFunc(want, func(a, b store.Record) int { return b.Position().Compare(a.Position()) })
	for _, limit := range []int{1, 50, 10 * batch} {
		same(t, want, readAll(t, noon, limit, s.Records))
	}
	slices.Reverse(want)
	same(t, want, readAll(t, noon, 50, s.RecordsAfter))
}

// readAll reads the rows of the key "k" on a day in pages, by store.Journal.Records or RecordsAfter.
func readAll(t *testing.T, day time.Time, limit int, read func(context.Context, store.JournalName, string, int, store.Record, int) ([]store.Record, bool, error)) (rows []store.Record) {
	t.Helper()
	var behind store.Record
	for {
		page, more, err := read(t.Context(), store.JournalTrace, "k", store.DayOf(day), behind, limit)
		if err != nil {
			t.Fatal(err)
		}
		if rows = append(rows, page...); !more || len(page) == 0 {
			return rows
		}
		behind = page[len(page)-1]
	}
}

func same(t *testing.T, want, got []store.Record) {
	t.Helper()
	if !slices.EqualFunc(want, got, func(a, b store.Record) bool { return a.Position().Compare(b.Position()) == 0 }) {
		t.Errorf("got %d rows, want %d, or another order", len(got), len(want))
	}
}
