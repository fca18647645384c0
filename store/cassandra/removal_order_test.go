package cassandra_test

import (
	"context"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store/cassandra"
)

// The deletion of a content deletes chunk 0 last, so that a run after an interruption, on any server,
// finds the remaining chunks.
func TestFirstChunkGoesLast(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := openWindowed(t, func(cfg *cassandra.Config) {
		cfg.Observe = func(s cassandra.Statement) {
			seen.Observe(s)
			if strings.HasPrefix(s.CQL, "DELETE FROM content ") {
				cancel()
			}
		}
	})
	mb := mailbox("order")
	id := aged(oldAge, 1)[0]
	put(t, w.store, id, 1<<20, mb)
	add(t, w.store, mb, mail.Message{ID: id, Size: 1 << 20, Recipient: "a@example.test"})
	w.removedLong(mb, id)
	left := func() (n int) {
		if err := w.cql.Query("SELECT count(*) FROM "+w.cfg.Keyspace+".content WHERE message = ? AND chunk = 0", gocql.UUID(id)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if r, err := w.store.Sweep(ctx, time.Now()); err != nil || r.Contents != 0 || ctx.Err() == nil {
		t.Fatalf("an interrupted run: %+v, %v", r, err)
	}
	if left() != 1 {
		t.Error("chunk 0 is gone before the other chunks")
	}
	w.sweep(1)
	w.exists(false, id)
}
