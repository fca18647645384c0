package cassandra_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/task"
)

// One of two mailboxes removes a shared message, and a real compaction of Cassandra drops the
// tombstone. Neither a repair nor rebuilding restores the message, whether the trash was worked off
// before or not.
func TestCheckAfterTombstonesArePurged(t *testing.T) {
	cfg := config(t)
	cfg.Keyspace = "test_purged"
	apply(t, cfg)
	cql := session(t, cfg)
	alter := func(options string) {
		t.Helper()
		if err := cql.Query("ALTER TABLE test_purged.mailbox WITH " + options).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	alter("gc_grace_seconds = 864000 AND memtable_flush_period_in_ms = 0") // the values before the test
	s := open(t, cfg)
	to := accounts(t, s, "alice", "bob")
	alice, bob := to[0], to[1]
	swept, fresh := deliver(t, s, 10, alice, bob), deliver(t, s, 600_000, alice, bob)
	remove(t, s, alice, swept)
	sweep(t, s)
	remove(t, s, alice, fresh)
	for _, id := range []mail.MessageID{swept, fresh} {
		if n := tombstones(t, cql, cfg, alice, id); n != 1 {
			t.Fatalf("a removed message has %d tombstones, want 1", n)
		}
	}

	// Every write is soon compacted; compaction may drop tombstones at once, repaired or not, for a
	// moment at a time only: reads ignore tombstones that compaction may drop.
	alter("memtable_flush_period_in_ms = 500 AND compaction = " +
		"{'class': 'SizeTieredCompactionStrategy', 'min_threshold': 2, 'only_purge_repaired_tombstones': 'false'}")
	kept := []mail.MessageID{swept, fresh}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		alter("gc_grace_seconds = 0")
		for range 5 {
			kept = append(kept, deliver(t, s, 10, bob)) // further data for the compaction
			time.Sleep(300 * time.Millisecond)          // the table is flushed every half second
		}
		alter("gc_grace_seconds = 864000")
		if n := tombstones(t, cql, cfg, alice, swept) + tombstones(t, cql, cfg, alice, fresh); n > 0 {
			return fmt.Errorf("there are still %d tombstones", n)
		}
		return nil
	})

	wantCheck(t, "a repair", s, repairCheck)
	wantList(t, "after a repair", s, alice)
	if report := wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}); report.Removed != 2 {
		t.Errorf("%d were kept away, want 2", report.Removed)
	}
	sweep(t, s)
	wantCheck(t, "a repair once more", s, task.CheckOptions{Repair: true, Deep: true})
	wantList(t, "in the end", s, alice)
	wantList(t, "in the end", s, bob, kept...)
	for id, n := range map[mail.MessageID]int64{swept: 10, fresh: 600_000} {
		if err := retrieve(t, s, id, n); err != nil {
			t.Error(err)
		}
	}
}

// tombstones counts the tombstones that a read of the row of a message skips, from a trace of the node.
func tombstones(t *testing.T, cql *gocql.Session, cfg cassandra.Config, a mail.Address, id mail.MessageID) (n int) {
	t.Helper()
	var trace traceID
	rows := cql.Query("SELECT message, size FROM "+cfg.Keyspace+".mailbox WHERE mailbox = ? AND segment = 0 AND message = ?",
		gocql.UUID(mailbox(a.Local)), gocql.UUID(id)).Trace(&trace).Iter()
	if rows.NumRows() > 0 {
		t.Fatalf("a removed message is there: %s", id)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error { // the node writes the trace a moment later
		events := cql.Query("SELECT activity FROM system_traces.events WHERE session_id = ?", []byte(trace)).Iter()
		for activity := ""; events.Scan(&activity); {
			if _, counts, ok := strings.Cut(activity, "Read 0 live rows and "); ok {
				_, err := fmt.Sscan(counts, &n)
				return err
			}
		}
		return fmt.Errorf("the trace does not report the rows read: %w", events.Close())
	})
	return n
}

// traceID holds the id of the trace of one statement.
type traceID []byte

// Trace implements gocql.Tracer.
func (id *traceID) Trace(trace []byte) { *id = trace }
