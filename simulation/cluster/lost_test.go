package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/simulation/cluster"
	"popelago/store/cassandra/driver"
)

// What only a lost datacenter had is known row by row: additions, removals and updates behind a cut, and what reached
// one node of the other datacenter alone.
func TestWhatALostDatacenterTakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		for k := range 4 {
			w.mustExec(gocql.All, insertEntry, k, 1, "before", int64(1))
		}
		w.Cut("dc1", "dc2")
		w.mustExec(gocql.LocalQuorum, insertEntry, 1, 2, "added", int64(2))
		w.mustExec(gocql.LocalQuorum, insertEntry, 2, 1, "changed", int64(2))
		w.mustExec(gocql.LocalQuorum, deleteEntry, int64(2), 3, 1)
		w.Heal("dc1", "dc2")
		for _, n := range []string{"dc2-2", "dc2-3"} {
			w.Cut("dc1", n)
		}
		w.mustExec(gocql.LocalQuorum, insertEntry, 4, 1, "on one node", int64(2))
		time.Sleep(time.Second)
		var got []string
		for _, row := range w.LoseDatacenter("dc1") {
			if row.Table == "entry" {
				got = append(got, fmt.Sprint(row.Key["k"], row.Key["c"], row.Change))
			}
		}
		slices.Sort(got)
		want := []string{
			fmt.Sprint(1, 2, cluster.LostAddition), fmt.Sprint(2, 1, cluster.LostUpdate),
			fmt.Sprint(3, 1, cluster.LostRemoval), fmt.Sprint(4, 1, cluster.LostQuorum),
		}
		if !slices.Equal(got, want) {
			t.Errorf("lost: %q, want %q", got, want)
		}
	})
}

// A datacenter that was taken out of the cluster is in no table of it. New nodes have new host ids.
func TestDatacenterLeavesAndJoins(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.mustExec(gocql.All, insertEntry, 1, 1, "a", int64(1))
		before := w.peers()
		w.LoseDatacenter("dc2")
		w.mustExec(gocql.LocalQuorum, insertEntry, 2, 1, "a", int64(1))
		w.mustExec(gocql.One, `ALTER KEYSPACE mail WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}`)
		w.RemoveDatacenter("dc2")
		time.Sleep(time.Minute)
		if n := w.peers(); len(n) != 2 {
			t.Fatalf("%d nodes of 2 are known", len(n))
		}
		w.mustExec(gocql.EachQuorum, insertEntry, 3, 1, "a", int64(1))
		if err := w.Repair("mail"); err != nil {
			t.Error(err)
		}
		w.JoinDatacenter("dc2")
		time.Sleep(time.Minute)
		after := w.peers()
		if len(after) != 5 {
			t.Fatalf("%d nodes of 5 are known", len(after))
		}
		changed := 0
		for address, id := range before {
			if after[address] != id {
				changed++
			}
		}
		if changed != 3 {
			t.Errorf("%d nodes have new host ids, want 3", changed)
		}
		w.mustExec(gocql.One, `ALTER KEYSPACE mail WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 3}`)
		if got := w.entriesAt("dc2-1"); got != 0 {
			t.Errorf("a new node has %d rows", got)
		}
		if err := w.Rebuild("dc2-1", "dc1"); err != nil {
			t.Fatal(err)
		}
		if got := w.entriesAt("dc2-1"); got != 3 {
			t.Errorf("a node has %d rows after rebuild, want 3", got)
		}
	})
}

// peers lists the other nodes that a node knows: host ids by address.
func (w *world) peers() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	var address, id string
	node := w.session.Nodes()[0].ID
	err := driver.Each(w.ctx, w.session, driver.Statement{CQL: `SELECT peer, host_id FROM system.peers`, Consistency: gocql.One, Node: node}, func() {
		all[address] = id
	}, &address, &id)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// The statements of a server that stands still reach no node, also when their context has ended, and are sent when
// the server goes on. Other servers go on meanwhile.
func TestHold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) { c.Serial = true })
		other := w.connect("dc2")
		w.mustExec(gocql.All, insertEntry, 1, 1, "a", int64(1))
		w.Hold("server-dc1")
		ended := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
			defer cancel()
			ended <- driver.Exec(ctx, w.session, driver.Statement{CQL: insertEntry, Values: []any{2, 1, "late", int64(1)}, Consistency: gocql.LocalQuorum})
		}()
		time.Sleep(2 * time.Hour)
		if err := driver.Exec(w.ctx, other, driver.Statement{CQL: insertEntry, Values: []any{3, 1, "b", int64(1)}, Consistency: gocql.All}); err != nil {
			t.Fatal(err)
		}
		if got := w.entriesAt("dc1-1"); got != 2 {
			t.Errorf("a node has %d rows, want 2", got)
		}
		select {
		case err := <-ended:
			t.Fatalf("the statement of a server that stands still ended: %v", err)
		default:
		}
		w.Release("server-dc1")
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := w.entriesAt("dc1-1"); got != 3 {
			t.Errorf("a node has %d rows after the server went on, want 3", got)
		}
	})
}

// An answer that arrives while a server stands still is read when the server goes on.
func TestHoldKeepsAnswers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) { c.Serial = true })
		w.Pause("dc1-1")
		w.Pause("dc1-2")
		w.Pause("dc1-3")
		began := time.Now()
		var took time.Duration
		ended := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(w.ctx, 5*time.Minute)
			defer cancel()
			err := driver.Exec(ctx, w.session, driver.Statement{CQL: insertEntry, Values: []any{1, 1, "a", int64(1)}, Consistency: gocql.LocalQuorum})
			took = time.Since(began)
			ended <- err
		}()
		time.Sleep(time.Second)
		w.Hold("server-dc1")
		time.Sleep(time.Hour)
		w.Release("server-dc1")
		err := <-ended
		if !errors.Is(err, gocql.ErrTimeoutNoResponse) || took < time.Hour {
			t.Errorf("%v after %v, want a time-out after an hour", err, took)
		}
	})
}
