package cassandra_test

import (
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// A removal of a version without the column entry is found, with the id alone. Each hour costs one read.
func TestRemovalsOfAnOlderVersion(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb, m := mailbox("older"), mail.Message{ID: ids.Next(), Size: 10, Recipient: "older@example.test"}
	put(t, s, m.ID, 10, mb)
	add(t, s, mb, m)
	if err := s.RemoveListed(t.Context(), mb, []mail.Message{m}); err != nil {
		t.Fatal(err)
	}
	removed := func() (rows []store.Removal) {
		t.Helper()
		for r, err := range s.RemovedMessages(t.Context(), mb, time.Now().Add(-3*time.Hour)) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r)
		}
		return rows
	}
	seen.Take()
	if rows := removed(); len(rows) != 1 || rows[0].Message != m {
		t.Fatalf("removed: %+v, want %+v", rows, m)
	}
	if writes, reads := spent(seen.Take()); len(writes) > 0 || len(reads) < 6 || len(reads) > 7 { // 4 or 5 hours, the replication, and the noted datacenters
		t.Errorf("%d writes and %d reads for three hours", len(writes), len(reads))
	}
	cql := session(t, cfg)
	var datacenter string
	var hour, shard int
	where := " FROM " + cfg.Keyspace + ".trash WHERE "
	if err := cql.Query("SELECT datacenter, hour, shard"+where+"mailbox = ? ALLOW FILTERING", gocql.UUID(mb)).Scan(&datacenter, &hour, &shard); err != nil {
		t.Fatal(err)
	}
	if err := cql.Query("DELETE entry"+where+"datacenter = ? AND hour = ? AND shard = ? AND mailbox = ? AND message = ?",
		datacenter, hour, shard, gocql.UUID(mb), gocql.UUID(m.ID)).Exec(); err != nil {
		t.Fatal(err)
	}
	if rows := removed(); len(rows) != 1 || rows[0].Message != (mail.Message{ID: m.ID}) {
		t.Errorf("removed by an older version: %+v", rows)
	}
}
