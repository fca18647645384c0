package sitetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// Limit bounds the time until nodes see each other, and mail is accepted again, on a busy machine.
const Limit = 15 * time.Minute

// tryAgain is the exit code of a command that can be repeated, see EX_TEMPFAIL in sysexits.h.
const tryAgain = 75

// Keyspace is the usual keyspace of the tests, one after the other.
const Keyspace = "datacenters"

// Cluster is a Cassandra cluster, for one test. NewCluster prepares the datacenters dc1 and dc2.
type Cluster struct {
	*cassandratest.Cluster
	// Keyspace has a replica on every node.
	Keyspace string
}

// NewCluster makes the keyspace, or empties the keyspace of the test before, which is faster.
func NewCluster(t testing.TB, c *cassandratest.Cluster) *Cluster {
	t.Helper()
	on := &Cluster{Cluster: c, Keyspace: Keyspace}
	srv := servertest.NewServer(t, on.Setup("dc1"))
	// Many new nodes on a busy machine may need longer than the time limit of a step: then the command asks
	// to be repeated.
	mailtest.WaitFor(t, Limit, func() error {
		code, out := servertest.Program{Limit: Limit}.Run(t, servertest.Binary(t), "schema", "apply", "--config", srv.Conf)
		switch code {
		case 0:
			return nil
		case tryAgain:
			return errors.New(out)
		}
		t.Fatalf("schema apply: exit code %d\n%s", code, out)
		return nil
	})
	s := on.Session(t, c.Nodes[0])
	defer s.Close()
	mailtest.WaitFor(t, Limit, func() error { return cassandratest.Empty(s, Keyspace) })
	return on
}

// Setup returns the settings of a server of a datacenter with fixed addresses.
func (c *Cluster) Setup(datacenter string, settings ...string) servertest.Setup {
	var hosts []string
	for _, address := range c.Addresses(datacenter) {
		hosts = append(hosts, fmt.Sprintf("%q", address))
	}
	replicas := map[string]int{}
	for _, n := range c.Nodes {
		replicas[n.Datacenter]++
	}
	var replication []string
	for _, name := range slices.Sorted(maps.Keys(replicas)) {
		replication = append(replication, fmt.Sprintf("%s = %d", name, replicas[name]))
	}
	return servertest.Setup{FixedPorts: true, Settings: append([]string{
		`store.engine = "cassandra"`,
		fmt.Sprintf("cassandra.hosts = [%s]", strings.Join(hosts, ", ")),
		fmt.Sprintf("cassandra.datacenter = %q", datacenter),
		fmt.Sprintf("cassandra.keyspace = %q", c.Keyspace),
		fmt.Sprintf("cassandra.replication = {%s}", strings.Join(replication, ", ")),
		`cassandra.heartbeat = "1s"`,
	}, settings...)}
}

// Start starts the binary for a datacenter, with further settings.
func (c *Cluster) Start(t testing.TB, datacenter string, settings ...string) *servertest.Server {
	t.Helper()
	srv := servertest.NewServer(t, c.Setup(datacenter, settings...))
	srv.Start(t)
	return srv
}

// Host adds the domain of the tests to the servers, through the first. The remaining servers ask for
// unknown domains.
func Host(t testing.TB, first *servertest.Server) {
	t.Helper()
	admin := first.Admin()
	defer admin.Close()
	mailtest.WaitFor(t, Limit, func() error {
		_, err := admin.AddDomain(servertest.Deadline(t, servertest.StartLimit), servertest.Domain)
		return err
	})
}

// WaitWhole waits until all running nodes see each other.
func (c *Cluster) WaitWhole(t testing.TB) {
	t.Helper()
	if err := c.WaitSeen(servertest.Deadline(t, Limit)); err != nil {
		t.Fatal(err)
	}
}

// RunJob runs a background job on a server until its result is ok, and returns the counts of its
// report by name.
func (c *Cluster) RunJob(t testing.TB, at *servertest.Server, job string) map[string]int64 {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	counts := map[string]int64{}
	mailtest.WaitFor(t, Limit, func() error {
		run, err := admin.RunTask(servertest.Deadline(t, Limit), job, true)
		if err != nil {
			return err
		}
		if run.Result != "ok" {
			return fmt.Errorf("%s: %s %s", job, run.Result, run.Error)
		}
		for _, n := range run.Report {
			counts[n.Name] = n.Count
		}
		return nil
	})
	return counts
}

// Session returns a connection to a node for the test's own statements. The caller closes it.
func (c *Cluster) Session(t testing.TB, node *cassandratest.Node) *gocql.Session {
	t.Helper()
	s, err := node.Session(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Repair replaces the operator's repair after the loss of hints with their nodes: reading all
// replicas makes them equal.
func (c *Cluster) Repair(t testing.TB) {
	t.Helper()
	s := c.Session(t, c.Nodes[0])
	defer s.Close()
	for _, table := range []string{"address", "domain", "mailbox", "content", "trash"} {
		rows := s.Query(fmt.Sprintf("SELECT * FROM %s.%s", c.Keyspace, table)).
			Consistency(gocql.All).PageSize(200).IterContext(servertest.Deadline(t, Limit))
		for rows.MapScan(map[string]any{}) {
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
