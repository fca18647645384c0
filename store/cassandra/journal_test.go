package cassandra_test

import (
	"testing"
	"time"

	"popelago/store"
)

// Rows of a journal expire by themselves, a day after keep, and many keys share few statements.
func TestJournalRowsExpire(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	truncate(t, cfg)
	s := reopen(t, cfg)
	defer s.Close()
	const day = 24 * time.Hour
	rows := make([]store.Record, 2000)
	for i := range rows {
		rows[i] = store.Record{Key: string(rune('a' + i)), At: time.Now(), ID: [16]byte{1}, Data: []byte("x")}
	}
	seen.Take()
	if err := s.AddRecords(t.Context(), store.JournalAudit, rows, 30*day); err != nil {
		t.Fatal(err)
	}
	if writes, _ := spent(seen.Take()); len(writes) > 2*256 { // the rows may be of two days
		t.Errorf("%d rows took %d statements", len(rows), len(writes))
	}
	var count, least, most int
	if err := session(t, cfg).Query("SELECT count(*), min(TTL(data)), max(TTL(data)) FROM "+cfg.Keyspace+".audit").Scan(&count, &least, &most); err != nil {
		t.Fatal(err)
	}
	if ttl := int((31 * day).Seconds()); count != len(rows) || most > ttl || least < ttl-3600 {
		t.Errorf("%d rows, which expire in %d to %d s, want %d rows and %d s", count, least, most, len(rows), ttl)
	}
}
