package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/simulation/cluster"
	"popelago/store/cassandra"
	"popelago/store/cassandra/driver"
)

// productSchema returns the statements that make the tables of the product.
func productSchema(t testing.TB, keyspace string, replication map[string]int) string {
	t.Helper()
	text, err := cassandra.Schema(cassandra.Config{Hosts: []string{"10.1.0.1"}, Datacenter: "dc1", Keyspace: keyspace, Replication: replication})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// world is a cluster of two datacenters with a session to the first.
type world struct {
	*cluster.Cluster
	t       testing.TB
	session driver.Session
	ctx     context.Context
}

func start(t testing.TB, change func(*cluster.Config)) *world {
	t.Helper()
	config := cluster.Config{
		Datacenters: []cluster.Datacenter{{Name: "dc1", Nodes: 3}, {Name: "dc2", Nodes: 3}},
		Random:      rand.New(rand.NewPCG(1, 2)),
		Schema:      productSchema(t, "mail", map[string]int{"dc1": 3, "dc2": 3}) + notes,
	}
	if change != nil {
		change(&config)
	}
	c, err := cluster.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	w := &world{Cluster: c, t: t, ctx: context.Background()}
	w.session = w.connect("dc1")
	return w
}

// notes makes a table without the product's rules: tombstones are purged after an hour.
const notes = `
CREATE TABLE mail.entry (k int, c int, v text, PRIMARY KEY (k, c)) WITH gc_grace_seconds = 3600;
`

func (w *world) connect(datacenter string) driver.Session {
	w.t.Helper()
	s, err := w.Server("server-"+datacenter, datacenter, 0).Open(w.ctx, driver.Options{
		Hosts: []string{w.Address(datacenter + "-1"), w.Address(datacenter + "-2")}, Datacenter: datacenter, Keyspace: "mail",
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) exec(level gocql.Consistency, cql string, values ...any) error {
	return driver.Exec(w.ctx, w.session, driver.Statement{CQL: cql, Values: values, Consistency: level})
}

func (w *world) mustExec(level gocql.Consistency, cql string, values ...any) {
	w.t.Helper()
	if err := w.exec(level, cql, values...); err != nil {
		w.t.Fatalf("%s: %v", cql, err)
	}
}

// texts reads column v of the rows of a partition of the table entry.
func (w *world) texts(level gocql.Consistency, k int) (list []string, err error) {
	var c int
	var v string
	err = driver.Each(w.ctx, w.session, driver.Statement{CQL: `SELECT c, v FROM entry WHERE k = ?`, Values: []any{k}, Consistency: level}, func() {
		list = append(list, fmt.Sprintf("%d:%s", c, v))
	}, &c, &v)
	return list, err
}

func (w *world) wantTexts(level gocql.Consistency, k int, want ...string) {
	w.t.Helper()
	got, err := w.texts(level, k)
	if err != nil {
		w.t.Fatalf("read %d at %s: %v", k, level, err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Fatalf("read %d at %s: %v, want %v", k, level, got, want)
	}
}

// bubble runs a test in virtual time.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func TestWriteAndRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := start(t, nil)
		for c := range 10 {
			w.mustExec(gocql.LocalQuorum, `INSERT INTO entry (k, c, v) VALUES (?, ?, ?) USING TIMESTAMP ?`, 1, c, "x", int64(c+1))
		}
		w.mustExec(gocql.EachQuorum, `DELETE FROM entry USING TIMESTAMP ? WHERE k = ? AND c IN ?`, int64(100), 1, []int{0, 1, 2, 3, 9})
		for _, level := range []gocql.Consistency{gocql.LocalQuorum, gocql.EachQuorum, gocql.All, gocql.Quorum} {
			w.wantTexts(level, 1, "4:x", "5:x", "6:x", "7:x", "8:x")
		}
		var at int64
		if err := driver.ScanOne(w.ctx, w.session, driver.Statement{CQL: `SELECT toUnixTimestamp(now()) FROM system.local`, Consistency: gocql.One}, &at); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(time.UnixMilli(at)); d < 0 || d > time.Second {
			t.Fatalf("the clock of a node differs by %v", d)
		}
	})
}
