package nodes

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/cassandratest"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// drains holds a test of the background work after the drain of many maildrops.
type drains struct {
	*testing.T
	cfg   cassandra.Config
	store *cassandra.Store
	cql   *gocql.Session

	boxes []mail.MailboxID
	held  map[mail.MailboxID][]mail.MessageID
}

// each calls do for all mailboxes, several at a time.
func (d *drains) each(do func(mail.MailboxID) error) {
	d.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	for _, mb := range d.boxes {
		group.Go(func() error { return do(mb) })
	}
	if err := group.Wait(); err != nil {
		d.Fatal(err)
	}
}

// fill puts some messages into each of n mailboxes.
func (d *drains) fill(n, messages int) {
	d.Helper()
	d.held = map[mail.MailboxID][]mail.MessageID{}
	for i := range n {
		mb := enginetest.Mailbox(fmt.Sprint("drained", i))
		d.boxes = append(d.boxes, mb)
		for range messages {
			d.held[mb] = append(d.held[mb], enginetest.IDs.Next())
		}
	}
	d.each(func(mb mail.MailboxID) error {
		for _, id := range d.held[mb] {
			enginetest.Put(d, d.store, id, 10, mb)
			enginetest.Add(d, d.store, mb, mail.Message{ID: id, Size: 10, Recipient: "a@example.test"})
		}
		return nil
	})
}

// whole reports whether all replicas of a partition answer.
func (d *drains) whole(table, where string, values ...any) bool {
	err := d.cql.Query("SELECT * FROM "+d.cfg.Keyspace+"."+table+" WHERE "+where+" LIMIT 1", values...).Consistency(gocql.All).Exec()
	var away *gocql.RequestErrUnavailable
	if err != nil && !errors.As(err, &away) {
		d.Errorf("a read of %s at ALL: %v", table, err)
	}
	return err == nil
}

// unaffected returns the mailboxes whose floor, and the contents whose removal, concern no partition
// of the dead node.
func (d *drains) unaffected() (floors []mail.MailboxID, contents []mail.MessageID) {
	var mu sync.Mutex
	d.each(func(mb mail.MailboxID) error {
		rows := d.whole("mailbox", "mailbox = ? AND segment = 0", gocql.UUID(mb))
		floor := rows && d.whole("floor", "mailbox = ?", gocql.UUID(mb))
		for _, id := range d.held[mb] {
			day := int(id.Micros() / (24 * 3_600_000_000))
			if rows && d.whole("mailbox", "mailbox = ? AND segment = ?", gocql.UUID(mb), day) &&
				d.whole("content", "message = ? AND chunk = 0", gocql.UUID(id)) {
				mu.Lock()
				contents = append(contents, id)
				mu.Unlock()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if floor {
			floors = append(floors, mb)
		}
		return nil
	})
	return floors, contents
}

// raised counts the mailboxes with a floor.
func (d *drains) raised(boxes []mail.MailboxID) (n int) {
	d.Helper()
	for _, mb := range boxes {
		floor, err := d.store.Floor(d.Context(), mb)
		if err != nil {
			d.Fatal(err)
		}
		if !floor.IsZero() {
			n++
		}
	}
	return n
}

// there counts the existing contents.
func (d *drains) there(ids []mail.MessageID) int {
	d.Helper()
	rows, err := d.store.ContentRows(d.Context(), ids)
	if err != nil {
		d.Fatal(err)
	}
	return len(rows)
}

// all returns the ids of all messages.
func (d *drains) all() (ids []mail.MessageID) {
	for _, mb := range d.boxes {
		ids = append(ids, d.held[mb]...)
	}
	return ids
}

// Five nodes keep three replicas of all data, and one node dies. A thousand maildrops are drained.
// Within two windows the floors of all data outside the dead node rise, and its contents are removed.
// The remaining floors and contents wait, are counted, and follow when the node is back.
func TestBackgroundWorkWithoutANode(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("needs five nodes, and takes some minutes: set TEST_CHAOS=1")
	}
	c := cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 5}},
		Heap:        "384M",
		Settings:    map[string]string{"read_request_timeout": "20s", "write_request_timeout": "20s"},
	})
	const window = time.Minute
	cfg := cassandra.Config{
		Hosts: c.Addresses("dc1"), Datacenter: "dc1", Keyspace: "drains", Replication: map[string]int{"dc1": 3},
		SpoolDir: t.TempDir(), Window: window, FloorEvery: 2, Heartbeat: time.Hour, Reconnect: time.Second, QueueTime: time.Minute,
		Observe: seen.Observe, Timeout: time.Minute, ConnectTimeout: time.Minute,
	}
	d := &drains{T: t, cfg: cfg, store: enginetest.Open(t, cfg)}
	d.fill(1000, 6)
	dead := c.Node("dc1-5")
	dead.Kill()
	if err := c.WaitDown(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	cfg.Hosts = cfg.Hosts[:4]
	d.cql = enginetest.Session(t, cfg)
	d.each(func(mb mail.MailboxID) error { return d.store.RemoveMessages(t.Context(), mb, d.held[mb]) })
	drained := time.Now()
	floors, contents := d.unaffected()
	t.Logf("without %s: %d of %d floors and %d of %d contents are not its business", dead.Name, len(floors), len(d.boxes), len(contents), len(d.all()))
	if len(floors) < 50 || len(contents) < 100 || len(floors) > 950 {
		t.Fatal("so there is nothing to see")
	}

	// A window later, each job once in a while, as the task runner does.
	mailtest.WaitFor(t, 2*window, func() error {
		if left := window + time.Second - time.Since(drained); left > 0 {
			return fmt.Errorf("too young for another %v", left)
		}
		return nil
	})
	for round := range 3 {
		raised, err1 := d.store.RaiseFloors(t.Context())
		swept, err2 := d.store.Sweep(t.Context(), time.Now())
		for _, err := range []error{err1, err2} {
			// After the first round all remaining work may be blocked, which is an error.
			if err != nil && (round == 0 || !errors.Is(err, store.ErrUnavailable)) {
				t.Fatal(err)
			}
		}
		t.Logf("round %d, %v after the removals: %+v, %+v", round, time.Since(drained).Round(time.Second), raised, swept)
		if round == 0 && (raised.Blocked == 0 || swept.Blocked == 0) {
			t.Errorf("nothing is reported as blocked: %+v, %+v", raised, swept)
		}
	}
	if n := d.raised(floors); n != len(floors) {
		t.Errorf("%d of %d floors have risen", n, len(floors))
	}
	if n := d.there(contents); 20*n > len(contents) {
		t.Errorf("%d of %d contents are still there, more than 5%%", n, len(contents))
	}
	rest := len(d.all()) - len(contents)
	if n := d.there(d.all()); n < rest {
		t.Errorf("%d contents are there, though %d concern the dead node: the unproven was removed", n, rest)
	}
	if r, err := d.store.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || r.Contents != 0 || r.Blocked == 0 {
		t.Errorf("SweepOrphans: %+v, %v", r, err)
	}

	dead.Restart(t)
	if err := c.WaitSeen(t.Context()); err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, 10*window, func() error {
		_, err1 := d.store.RaiseFloors(t.Context())
		_, err2 := d.store.Sweep(t.Context(), time.Now())
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if n, m := len(d.boxes)-d.raised(d.boxes), d.there(d.all()); n+m > 0 {
			return fmt.Errorf("%d floors have not risen, %d contents are left", n, m)
		}
		return nil
	})
	var left int
	if err := d.cql.Query("SELECT count(*) FROM " + cfg.Keyspace + ".trash").Consistency(gocql.Quorum).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d removals are left in the trash, %v", left, err)
	}
}
