package cluster_test

import (
	"context"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/simulation/cluster"
	"popelago/store/cassandra/driver"
)

type contextT = context.Context

// A row comes back if a replica that missed its deletion is read after the others have forgotten the deletion: the
// reason for gc_grace_seconds and repairs.
func TestForgottenDeletion(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) { c.HintWindow = time.Nanosecond })
		w.mustExec(gocql.All, insertEntry, 1, 1, "zombie", int64(1))
		w.Crash("dc1-3", true)
		time.Sleep(15 * time.Second)
		w.mustExec(gocql.LocalQuorum, deleteEntry, int64(2), 1, 1)
		w.Restart("dc1-3")
		time.Sleep(30 * time.Minute)
		for _, n := range w.Nodes() {
			w.Compact(n)
		}
		if got := w.SizeOf("dc1-1", "mail", "entry").Tombstones; got != 1 {
			t.Fatalf("%d tombstones after half of gc_grace_seconds, want 1", got)
		}
		time.Sleep(31 * time.Minute)
		for _, n := range w.Nodes() {
			w.Compact(n)
		}
		if got := w.SizeOf("dc1-1", "mail", "entry").Tombstones; got != 0 {
			t.Fatalf("%d tombstones after gc_grace_seconds, want 0", got)
		}
		w.wantTexts(gocql.All, 1, "1:zombie")
	})
}

// With only_purge_repaired_tombstones a deletion is forgotten after a repair only.
func TestOnlyPurgeRepairedTombstones(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) { c.HintWindow = time.Nanosecond })
		box := uid(1)
		st := productStatements(t)
		alive := func() (found int) {
			err := driver.Each(w.ctx, w.session, driver.Statement{CQL: st["listMessages"], Values: []any{box, 0, tid(0), 10}, Consistency: gocql.All}, func() { found++ }, nil, nil, nil, nil, nil, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		w.mustExec(gocql.All, st["insertMessage"], box, 0, tid(1), int64(5), "r", nil, unset, unset, int64(1))
		w.Crash("dc1-3", true)
		time.Sleep(15 * time.Second)
		w.mustExec(gocql.LocalQuorum, st["deleteMessages"], int64(2), box, 0, []gocql.UUID{tid(1)})
		w.Restart("dc1-3")
		time.Sleep(30 * 24 * time.Hour)
		for _, n := range w.Nodes() {
			w.Compact(n)
		}
		if got := alive(); got != 0 {
			t.Fatalf("%d removed messages came back", got)
		}
		if got := w.SizeOf("dc1-3", "mail", "mailbox").Tombstones; got != 1 {
			t.Fatalf("%d tombstones, want 1", got)
		}
		if err := w.Repair("mail"); err != nil {
			t.Fatal(err)
		}
		for _, n := range w.Nodes() {
			w.Compact(n)
			if size := w.SizeOf(n, "mail", "mailbox"); size != (cluster.Size{}) {
				t.Errorf("node %s still has %+v", n, size)
			}
		}
		if got := alive(); got != 0 {
			t.Fatalf("%d removed messages came back after the purge", got)
		}
	})
}

// Replicas with different tombstones each return fewer live rows than the limit, and pages still find every row.
func TestShortReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) { c.HintWindow = time.Nanosecond })
		for c := range 40 {
			w.mustExec(gocql.All, insertEntry, 1, c, "a", int64(1))
		}
		for i, n := range []string{"dc1-1", "dc1-2", "dc1-3"} {
			w.Crash(n, true)
			time.Sleep(15 * time.Second)
			for c := range 40 {
				if c%5 != 4 && c%3 == i {
					w.mustExec(gocql.LocalQuorum, deleteEntry, int64(2), 1, c)
				}
			}
			w.Restart(n)
			time.Sleep(15 * time.Second)
		}
		for _, size := range []int{1, 2, 3, 100} {
			var got []int
			var c int
			err := driver.Each(w.ctx, w.session, driver.Statement{
				CQL: `SELECT c FROM entry WHERE k = ?`, Values: []any{1}, Consistency: gocql.LocalQuorum, PageSize: size,
			}, func() { got = append(got, c) }, &c)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 8 || got[0] != 4 || got[7] != 39 {
				t.Errorf("pages of %d: %v", size, got)
			}
		}
		if w.Counters().ShortReads == 0 {
			t.Error("no read was short")
		}
	})
}

// The clock of the coordinator decides about expiry, the clock of the compacting node about gc_grace_seconds.
func TestClocksOfNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.mustExec(gocql.All, `INSERT INTO entry (k, c, v) VALUES (?, ?, ?) USING TIMESTAMP ? AND TTL ?`, 1, 1, "a", int64(1), 600)
		w.wantTexts(gocql.LocalQuorum, 1, "1:a")
		for _, n := range w.Nodes() {
			w.SetClock(n, 11*time.Minute, 1)
		}
		w.wantTexts(gocql.LocalQuorum, 1)
		w.SetClock("dc1-1", 2*time.Hour, 0)
		w.Compact("dc1-1")
		w.Compact("dc1-2")
		if a, b := w.SizeOf("dc1-1", "mail", "entry"), w.SizeOf("dc1-2", "mail", "entry"); a.Rows != 0 || b.Rows != 1 {
			t.Errorf("rows %d and %d, want none at the node whose clock is ahead, and one at the other", a.Rows, b.Rows)
		}
		time.Sleep(time.Hour)
		var at int64
		id := w.session.Nodes()[0].ID
		if err := driver.ScanOne(w.ctx, w.session, driver.Statement{CQL: `SELECT toUnixTimestamp(now()) FROM system.local`, Consistency: gocql.One, Node: id}, &at); err != nil {
			t.Fatal(err)
		}
		if d := time.Until(time.UnixMilli(at)); d < 59*time.Minute || d > 61*time.Minute {
			t.Errorf("a clock that stands still is ahead by %v, want an hour", d)
		}
	})
}

func TestLostNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		for k := range 50 {
			w.mustExec(gocql.All, insertEntry, k, 1, "a", int64(1))
		}
		if err := w.Replace("dc1-2"); err != nil {
			t.Fatal(err)
		}
		if got := w.entriesAt("dc1-2"); got != 50 {
			t.Errorf("a replaced node has %d rows, want 50", got)
		}
		w.LoseDatacenter("dc1")
		w.JoinDatacenter("dc1")
		for _, n := range []string{"dc1-1", "dc1-2", "dc1-3"} {
			if got := w.entriesAt(n); got != 0 {
				t.Errorf("a lost node has %d rows", got)
			}
			if err := w.Rebuild(n, "dc2"); err != nil {
				t.Fatal(err)
			}
			if got := w.entriesAt(n); got != 50 {
				t.Errorf("a rebuilt node has %d rows, want 50", got)
			}
		}
	})
}
