package embedded_test

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

// No table of the database has rows of two kinds, or of two journals: a compaction of the newest contents and
// mailbox rows writes no journal again.
func TestTablesHaveOneKind(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, embedded.Config{Dir: "data", FS: fs})
	ids, mb := mail.NewIDSource(nil), mail.MailboxID{1}
	for range 10 {
		if err := deliver(t.Context(), s, ids.Next(), mb, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		for _, j := range []store.JournalName{store.JournalTrace, store.JournalAudit, store.JournalQueue} {
			if err := s.AddRecords(t.Context(), j, []store.Record{{Key: "k", At: time.Now()}}, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("data/db", &pebble.Options{FS: fs, ReadOnly: true, Filters: map[string]pebble.FilterPolicy{bloom.FilterPolicy(10).Name(): bloom.FilterPolicy(10)}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	levels, err := db.SSTables()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[byte]bool{}
	for _, tables := range levels {
		for _, table := range tables {
			first, last := table.Smallest.UserKey, table.Largest.UserKey
			kinds[first[0]] = true
			same := first[0] == last[0] && (first[0] != 'j' || first[1] == last[1])
			if !same && !table.Largest.IsExclusiveSentinel() {
				t.Errorf("a table has the rows from %q to %q", first, last)
			}
		}
	}
	for _, kind := range []byte("cjm") {
		if !kinds[kind] {
			t.Errorf("no table has rows %q", kind)
		}
	}
}
