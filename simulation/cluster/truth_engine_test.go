package cluster_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
	"popelago/simulation/cluster"
	"popelago/store/cassandra/driver"
)

// real is a node that is shared with the tests of other packages, which drop the keyspaces of their own names.
var real = cassandratest.Shared(truthSpace)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(real.Main(m))
}

// truthSpace is the keyspace of the truth suite.
const truthSpace = "truth"

// truthTables makes tables beside the product's.
const truthTables = `
CREATE TABLE truth.item (p int, a int, b text, s int STATIC, ss set<text> STATIC, v blob, n int, t tinyint, f boolean, l frozen<list<int>>, e set<text>, m map<text, text>, PRIMARY KEY ((p), a, b)) WITH CLUSTERING ORDER BY (a DESC, b ASC);
CREATE TABLE truth.single (p text PRIMARY KEY, v int, w text);
CREATE TABLE truth.ids (p int, u uuid, t timeuuid, o blob, n bigint, PRIMARY KEY (p, u, t, o, n)) WITH CLUSTERING ORDER BY (u ASC, t DESC, o DESC, n DESC);
`

// raw takes the octets of a column.
type raw struct {
	data []byte
	null bool
}

// UnmarshalCQL implements gocql.Unmarshaler.
func (r *raw) UnmarshalCQL(_ gocql.TypeInfo, data []byte) error {
	r.data, r.null = append([]byte(nil), data...), data == nil
	return nil
}

// step is a statement of a case, or a wait.
type step struct {
	cql    string
	values []any
	batch  [][]any
	size   int // of pages; zero: one page
	wait   time.Duration
}

// asker is a node: the simulated one or a real one.
type asker interface {
	// page executes a statement and returns a page with the octets of each column.
	page(s step, columns int, from []byte) (rows [][]raw, next []byte, err error)
}

// columnsOf counts the selected columns, and finds those that count down.
func columnsOf(cql string) (count int, countdown []bool) {
	selected, ok := strings.CutPrefix(cql, "SELECT ")
	if !ok {
		return 0, nil
	}
	selected, _, _ = strings.Cut(selected, " FROM ")
	depth, from := 0, 0
	for i, r := range selected + "," {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			countdown = append(countdown, strings.HasPrefix(strings.TrimSpace(selected[from:i]), "TTL"))
			from = i + 1
		}
	}
	return len(countdown), countdown
}

// perform executes the steps of a case, and returns a line for each row, page and error. The seconds of TTL are in
// a list beside the lines.
func perform(a asker, steps []step) (lines []string, seconds []int) {
	for i, s := range steps {
		if s.wait > 0 {
			time.Sleep(s.wait)
			continue
		}
		columns, countdown := columnsOf(s.cql)
		for page, from := 0, []byte(nil); ; page++ {
			rows, next, err := a.page(s, columns, from)
			if err != nil {
				lines = append(lines, fmt.Sprintf("%d: error %s", i, codeOf(err)))
				break
			}
			for _, row := range rows {
				text := fmt.Sprintf("%d: ", i)
				for c, v := range row {
					switch {
					case v.null:
						text += "null "
					case countdown[c]:
						seconds = append(seconds, int(binary.BigEndian.Uint32(v.data)))
						text += "ttl "
					default:
						text += fmt.Sprintf("%x ", v.data)
					}
				}
				lines = append(lines, text)
			}
			if len(next) == 0 || s.size == 0 {
				break
			}
			if lines = append(lines, fmt.Sprintf("%d: page", i)); page > 100 {
				lines = append(lines, "the pages do not end")
				break
			}
			from = next
		}
	}
	return lines, seconds
}

func codeOf(err error) string {
	var answer gocql.RequestError
	if errors.As(err, &answer) {
		return fmt.Sprintf("%#x", answer.Code())
	}
	return err.Error()
}

// fakeNode asks the simulated cluster.
type fakeNode struct {
	session driver.Session
}

func (f fakeNode) page(s step, columns int, from []byte) (list [][]raw, next []byte, err error) {
	rows, err := f.session.Execute(context.Background(), &driver.Statement{
		CQL: s.cql, Values: s.values, Batch: s.batch, Consistency: gocql.LocalQuorum, PageSize: s.size, Page: from,
	})
	if err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		row, dest := destinations(columns)
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, err
		}
		list = append(list, row)
	}
	return list, rows.Page(), rows.Close()
}

func destinations(columns int) (row []raw, dest []any) {
	row = make([]raw, columns)
	for i := range row {
		dest = append(dest, &row[i])
	}
	return row, dest
}

// realNode asks a node of Cassandra.
type realNode struct {
	session *gocql.Session
}

func (r realNode) page(s step, columns int, from []byte) (list [][]raw, next []byte, err error) {
	if s.batch != nil {
		b := r.session.Batch(gocql.UnloggedBatch).Consistency(gocql.LocalQuorum).DefaultTimestamp(false)
		for _, values := range s.batch {
			b.Query(s.cql, values...)
		}
		return nil, nil, b.Exec()
	}
	q := r.session.Query(s.cql, s.values...).Consistency(gocql.LocalQuorum).PageState(from).Prefetch(0)
	if s.size > 0 {
		q = q.PageSize(s.size)
	}
	iter := q.Iter()
	next = iter.PageState()
	scanner := iter.Scanner()
	for scanner.Next() {
		row, dest := destinations(columns)
		if err := scanner.Scan(dest...); err != nil {
			return nil, nil, err
		}
		list = append(list, row)
	}
	return list, next, scanner.Err()
}

// truthSchema returns the schema of both nodes.
func truthSchema(t testing.TB) string {
	return productSchema(t, truthSpace, map[string]int{"dc1": 1}) + truthTables
}

// realSession opens a session to a real node with empty tables.
func realSession(t *testing.T) realNode {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	node := real.Get(t).Datacenter("dc1")[0]
	setup, err := node.Session(10 * time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer setup.Close()
	schema := "DROP KEYSPACE IF EXISTS " + truthSpace + ";\n" + truthSchema(t)
	for _, cql := range strings.Split(schema, ";\n") {
		if cql = strings.TrimSpace(cql); cql == "" {
			continue
		}
		for strings.HasPrefix(cql, "--") {
			_, cql, _ = strings.Cut(cql, "\n")
			cql = strings.TrimSpace(cql)
		}
		if err := setup.Query(cql).Exec(); err != nil {
			t.Fatalf("%s: %v", cql, err)
		}
	}
	d := gocql.NewCluster(node.Address)
	d.Keyspace, d.NumConns, d.DefaultTimestamp = truthSpace, 1, false
	d.Timeout, d.ConnectTimeout = time.Minute, time.Minute
	d.HostFilter = gocql.WhiteListHostFilter(node.Address)
	d.Metadata.CacheMode = gocql.Disabled
	session, err := d.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return realNode{session}
}

// onFake performs cases on a simulated node, in virtual time.
func onFake(t *testing.T, cases [][]step) (lines [][]string, seconds [][]int) {
	schema := truthSchema(t)
	synctest.Test(t, func(t *testing.T) {
		c, err := cluster.New(cluster.Config{
			Datacenters: []cluster.Datacenter{{Name: "dc1", Nodes: 1}}, Schema: schema, FailTombstones: 2000,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := c.Server("server", "dc1", 0).Open(context.Background(), driver.Options{Hosts: []string{"dc1-1"}, Datacenter: "dc1", Keyspace: truthSpace})
		if err != nil {
			t.Fatal(err)
		}
		for _, steps := range cases {
			l, s := perform(fakeNode{s}, steps)
			lines, seconds = append(lines, l), append(seconds, s)
		}
	})
	return lines, seconds
}

// compare performs a case on a real node. The test fails if a simulated and a real node answer differently. A slow node
// shows a TTL later, and so with fewer seconds.
func compare(t *testing.T, node realNode, steps []step, fake []string, fakeSeconds []int) (truth []string) {
	t.Helper()
	began := time.Now()
	truth, truthSeconds := perform(node, steps)
	slow := time.Since(began)
	for _, s := range steps {
		slow -= s.wait
	}
	if strings.Join(fake, "\n") != strings.Join(truth, "\n") {
		t.Errorf("the answers differ.\nsteps:\n%s\nsimulated:\n  %s\nreal:\n  %s", show(steps), strings.Join(fake, "\n  "), strings.Join(truth, "\n  "))
		return truth
	}
	for i := range truthSeconds {
		if d := truthSeconds[i] - fakeSeconds[i]; d < -3-int(slow.Seconds()) || d > 3 {
			t.Errorf("a TTL of %d seconds, and of %d on a real node", fakeSeconds[i], truthSeconds[i])
		}
	}
	return truth
}

func show(steps []step) string {
	var b strings.Builder
	for i, s := range steps {
		fmt.Fprintf(&b, "  %d: %s %v %v %v\n", i, s.cql, s.values, s.batch, s.wait)
	}
	return b.String()
}
