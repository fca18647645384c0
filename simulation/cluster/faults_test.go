package cluster_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/simulation/cluster"
	"popelago/store/cassandra/driver"
)

const (
	insertEntry = `INSERT INTO entry (k, c, v) VALUES (?, ?, ?) USING TIMESTAMP ?`
	deleteEntry = `DELETE FROM entry USING TIMESTAMP ? WHERE k = ? AND c = ?`
)

// codeIs fails the test unless err is a refusal with a code.
func codeIs(t *testing.T, err error, code int) {
	t.Helper()
	var answer gocql.RequestError
	if !errors.As(err, &answer) || answer.Code() != code {
		t.Fatalf("%v, want an error with code %#x", err, code)
	}
}

// entriesAt returns the rows of the table entry at a node.
func (w *world) entriesAt(node string) int {
	w.t.Helper()
	rows, err := w.RowsAt(node, "mail", "entry")
	if err != nil {
		w.t.Fatal(err)
	}
	return len(rows)
}

func (w *world) entries() (total int) {
	w.t.Helper()
	for _, n := range w.Nodes() {
		total += w.entriesAt(n)
	}
	return total
}

func TestCutBetweenDatacenters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.Cut("dc1", "dc2")
		w.mustExec(gocql.LocalQuorum, insertEntry, 1, 1, "a", int64(1))
		err := w.exec(gocql.EachQuorum, insertEntry, 1, 2, "b", int64(1))
		codeIs(t, err, gocql.ErrCodeWriteTimeout) // the nodes do not know yet
		var details *gocql.RequestErrWriteTimeout
		if !errors.As(err, &details) || details.Received != 2 || details.BlockFor != 4 || details.WriteType != "SIMPLE" {
			t.Fatalf("%+v", details)
		}
		time.Sleep(10 * time.Second)
		codeIs(t, w.exec(gocql.EachQuorum, insertEntry, 1, 3, "c", int64(1)), gocql.ErrCodeUnavailable)
		_, err = w.texts(gocql.All, 1)
		codeIs(t, err, gocql.ErrCodeUnavailable)
		w.wantTexts(gocql.LocalQuorum, 1, "1:a", "2:b")
		w.Heal("dc1", "dc2")
		time.Sleep(time.Minute)
		for _, n := range w.Nodes() {
			if got := w.entriesAt(n); got != 2 {
				t.Errorf("node %s has %d rows after the hints, want 2", n, got)
			}
		}
		w.wantTexts(gocql.EachQuorum, 1, "1:a", "2:b")
	})
}

func TestHintsAreShownAndDelivered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.Crash("dc1-3", true)
		time.Sleep(15 * time.Second)
		for c := range 300 {
			w.mustExec(gocql.LocalQuorum, insertEntry, c, 1, "a", int64(1))
		}
		hints := func() (count int) {
			for _, n := range w.Nodes() {
				count += w.HintCount(n)
			}
			return count
		}
		if got := hints(); got != 300 {
			t.Fatalf("%d hints, want 300", got)
		}
		shown := func() int {
			count := 0
			for _, n := range w.session.Nodes() {
				if !n.Up {
					continue
				}
				rows, err := w.session.Execute(w.ctx, &driver.Statement{CQL: `SELECT dc FROM system_views.pending_hints`, Consistency: gocql.One, Node: n.ID})
				if err != nil {
					t.Fatal(err)
				}
				count += rows.Len()
			}
			return count
		}
		time.Sleep(time.Minute)
		if got := shown(); got != 0 {
			t.Fatalf("%d nodes show hints for a node that is away", got)
		}
		w.Restart("dc1-3")
		most := 0
		for range 60 {
			time.Sleep(time.Second)
			most = max(most, shown())
		}
		if most != 2 {
			t.Errorf("at most %d nodes showed hints, want 2", most)
		}
		if got := hints(); got != 0 {
			t.Errorf("%d hints are left", got)
		}
		if got := w.entriesAt("dc1-3"); got != 300 {
			t.Errorf("the node has %d rows, want 300", got)
		}
	})
}

func TestHintsEndWithTheirCoordinator(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) {
			c.Datacenters = []cluster.Datacenter{{Name: "dc1", Nodes: 3}, {Name: "dc2", Nodes: 3}}
		})
		w.Cut("dc1", "dc2")
		time.Sleep(15 * time.Second)
		w.mustExec(gocql.LocalQuorum, insertEntry, 1, 1, "a", int64(1))
		time.Sleep(time.Minute)
		w.LoseDatacenter("dc1")
		w.Heal("dc1", "dc2")
		w.Restart("dc1-1")
		if w.Running("dc1-1") {
			t.Error("a lost node runs")
		}
		w.JoinDatacenter("dc1")
		time.Sleep(time.Minute)
		if got := w.entries(); got != 0 {
			t.Errorf("%d rows are left of a lost datacenter", got)
		}
		if w.Counters().HintsLost == 0 {
			t.Error("no hint was lost")
		}
	})
}

func TestHintWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.Crash("dc1-3", true)
		time.Sleep(3*time.Hour + time.Minute)
		w.mustExec(gocql.LocalQuorum, insertEntry, 1, 1, "a", int64(1))
		w.Restart("dc1-3")
		time.Sleep(5 * time.Minute)
		if got := w.entriesAt("dc1-3"); got != 0 {
			t.Fatalf("the node has %d rows after the hint window, want 0", got)
		}
		if err := w.Repair("mail"); err != nil {
			t.Fatal(err)
		}
		if got := w.entriesAt("dc1-3"); got != 1 {
			t.Fatalf("the node has %d rows after a repair, want 1", got)
		}
	})
}

func TestReadRepair(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, func(c *cluster.Config) { c.HintWindow = time.Nanosecond })
		w.Crash("dc1-3", true)
		time.Sleep(15 * time.Second)
		w.mustExec(gocql.LocalQuorum, insertEntry, 1, 1, "a", int64(1))
		w.mustExec(gocql.LocalQuorum, insertEntry, 2, 1, "a", int64(1))
		w.Restart("dc1-3")
		w.Crash("dc1-2", true)
		time.Sleep(15 * time.Second)
		w.wantTexts(gocql.LocalQuorum, 1, "1:a") // of the nodes 1 and 3
		if got := w.entriesAt("dc1-3"); got != 1 {
			t.Fatalf("the node has %d rows, want the row that was read", got)
		}
		if c := w.Counters(); c.Mismatches == 0 || c.Repairs == 0 {
			t.Fatalf("%+v", c)
		}
		before := w.Counters().Repairs
		w.wantTexts(gocql.LocalQuorum, 1, "1:a")
		if w.Counters().Repairs != before {
			t.Error("the row was repaired again")
		}
	})
}

func TestCrashWithoutLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.mustExec(gocql.All, insertEntry, 1, 1, "synced", int64(1))
		w.mustExec(gocql.All, insertEntry, 1, 2, "old", int64(1))
		time.Sleep(11 * time.Second)
		w.mustExec(gocql.All, insertEntry, 1, 2, "new", int64(2))
		w.mustExec(gocql.All, insertEntry, 2, 1, "lost", int64(2))
		w.mustExec(gocql.All, `DELETE FROM entry USING TIMESTAMP ? WHERE k = ? AND c >= ?`, int64(1), 1, 1)
		w.mustExec(gocql.All, insertEntry, 1, 3, "lost", int64(2))
		for i, n := range w.Nodes() {
			w.Crash(n, i >= 3)
			w.Restart(n)
		}
		time.Sleep(15 * time.Second)
		if got := w.entriesAt("dc1-1"); got != 2 {
			t.Errorf("a node without its log has %d rows, want 2", got)
		}
		if got := w.entriesAt("dc2-1"); got != 3 {
			t.Errorf("a node with its log has %d rows, want 3", got)
		}
		w.wantTexts(gocql.LocalQuorum, 1, "1:synced", "2:old")
		w.wantTexts(gocql.EachQuorum, 1, "2:new", "3:lost")
	})
}

func TestCoordinatorCrash(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.Slow("dc1-1", 1000)
		id := ""
		for _, n := range w.session.Nodes() {
			if n.Address == w.Address("dc1-1") {
				id = n.ID
			}
		}
		failed := make(chan error, 1)
		go func() {
			failed <- driver.Exec(w.ctx, w.session, driver.Statement{CQL: insertEntry, Values: []any{1, 1, "a", int64(1)}, Consistency: gocql.LocalQuorum, Node: id})
		}()
		time.Sleep(time.Second / 10)
		w.Crash("dc1-1", true)
		if err := <-failed; !errors.Is(err, gocql.ErrConnectionClosed) {
			t.Fatalf("%v, want a closed connection", err)
		}
		if err := driver.Exec(w.ctx, w.session, driver.Statement{CQL: insertEntry, Values: []any{1, 1, "a", int64(1)}, Consistency: gocql.LocalQuorum, Node: id}); !errors.Is(err, gocql.ErrNoConnections) {
			t.Fatalf("%v, want no connections", err)
		}
	})
}

func TestWriteOfUnknownOutcome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		for _, n := range []string{"dc1-2", "dc1-3", "dc2-1", "dc2-2", "dc2-3"} {
			w.Pause(n)
		}
		began := time.Now()
		retries := 0
		err := driver.Exec(w.ctx, w.session, driver.Statement{
			CQL: insertEntry, Values: []any{1, 1, "a", int64(1)}, Consistency: gocql.LocalQuorum,
			Node: func() string { return w.session.Nodes()[0].ID }(),
		})
		codeIs(t, err, gocql.ErrCodeWriteTimeout)
		if took := time.Since(began); took < 2*time.Second || took > 3*time.Second || retries > 0 {
			t.Errorf("the write failed after %v", took)
		}
		for _, n := range w.Nodes()[1:] {
			w.Resume(n)
		}
		time.Sleep(time.Minute) // the hints of the coordinator
		w.wantTexts(gocql.All, 1, "1:a")
	})
}

func TestSilentNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		w.Pause("dc1-1")
		w.Pause("dc1-2")
		w.Pause("dc1-3")
		began := time.Now()
		if err := w.exec(gocql.One, insertEntry, 1, 1, "a", int64(1)); !errors.Is(err, gocql.ErrTimeoutNoResponse) {
			t.Fatalf("%v, want no response", err)
		}
		if took := time.Since(began); took != 12*time.Second {
			t.Errorf("after %v", took)
		}
		if err := w.exec(gocql.One, insertEntry, 1, 1, "a", int64(1)); !errors.Is(err, gocql.ErrNoConnections) {
			t.Fatalf("%v, want no connections", err)
		}
		for _, n := range w.session.Nodes() {
			if n.Up {
				t.Errorf("node %s is up", n.Address)
			}
		}
		w.Resume("dc1-1")
		time.Sleep(3 * time.Second)
		w.mustExec(gocql.One, insertEntry, 1, 1, "a", int64(1))
	})
}

func TestRetryAtAnotherNode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		for _, n := range []string{"dc1-1", "dc1-2"} {
			w.Overload(n, true)
		}
		hosts := map[string]bool{}
		var asked []string
		s, err := w.Server("other", "dc1", 0).Open(w.ctx, driver.Options{
			Hosts: []string{"dc1-1"}, Datacenter: "dc1", Keyspace: "mail", Observe: func(a driver.Attempt) { hosts[a.Host] = true; asked = append(asked, fmt.Sprint(a.Attempt, a.Err)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			err := driver.Exec(w.ctx, s, driver.Statement{CQL: insertEntry, Values: []any{1, 1, "a", int64(1)}, Consistency: gocql.One, Retry: func(_ contextT, attempts int, err error) bool {
				codeIs(t, err, gocql.ErrCodeOverloaded)
				return attempts < 3
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(hosts) != 3 {
			t.Errorf("asked %v", asked)
		}
	})
}
