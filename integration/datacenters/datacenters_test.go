package datacenters

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/app"
	"popelago/cassandratest"
	"popelago/config"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// datacenters are two datacenters of one node each, enough for most tests. The line between them
// can be cut.
var datacenters = cassandratest.Lazy{Options: cassandratest.Options{
	Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 1}, {Name: "dc2", Nodes: 1}},
	Link:        true,
}, After: cassandratest.Uncoordinated}

// nodesLimit bounds the time until nodes see each other, and mail is accepted again, on a busy
// machine.
const nodesLimit = 15 * time.Minute

// keyspace is the keyspace of the tests, one after the other. It has a replica on every node.
const keyspace = "datacenters"

// cluster is a Cassandra cluster for one test.
type cluster struct{ *cassandratest.Cluster }

// newCluster makes the keyspace, or empties the keyspace of the test before, which is faster.
func newCluster(t testing.TB, c *cassandratest.Cluster) *cluster {
	t.Helper()
	on := &cluster{c}
	srv := servertest.NewServer(t, on.setup("dc1"))
	servertest.Program{Limit: nodesLimit}.Must(t, servertest.Binary(t), "schema", "apply", "--config", srv.Conf)
	s := on.session(t, c.Nodes[0])
	defer s.Close()
	mailtest.WaitFor(t, nodesLimit, func() error { return cassandratest.Empty(s, keyspace) })
	return on
}

// setup returns the settings of a server of a datacenter with fixed addresses.
func (c *cluster) setup(datacenter string, settings ...string) servertest.Setup {
	var hosts []string
	for _, address := range c.Addresses(datacenter) {
		hosts = append(hosts, fmt.Sprintf("%q", address))
	}
	return servertest.Setup{FixedPorts: true, Settings: append([]string{
		`store.engine = "cassandra"`,
		fmt.Sprintf("cassandra.hosts = [%s]", strings.Join(hosts, ", ")),
		fmt.Sprintf("cassandra.datacenter = %q", datacenter),
		fmt.Sprintf("cassandra.keyspace = %q", keyspace),
		fmt.Sprintf("cassandra.replication = {dc1 = %d, dc2 = %d}", len(c.Datacenter("dc1")), len(c.Datacenter("dc2"))),
		`cassandra.heartbeat = "1s"`,
	}, settings...)}
}

// start starts the binary for a datacenter.
func (c *cluster) start(t testing.TB, datacenter string, settings ...string) *servertest.Server {
	t.Helper()
	srv := servertest.NewServer(t, c.setup(datacenter, settings...))
	srv.Start(t)
	return srv
}

// startAhead starts a server in this process whose clock is ahead of all others. stop ends the
// server; otherwise the end of the test does.
func (c *cluster) startAhead(t testing.TB, datacenter string, ahead time.Duration, settings ...string) (srv *servertest.Server, stop func()) {
	t.Helper()
	srv, _, stop = c.startClock(t, datacenter, func() time.Time { return time.Now().Add(ahead) }, settings...)
	return srv, stop
}

// startClock starts a server in this process with the clock now. log has the server's log. stop
// ends the server; otherwise the end of the test does.
func (c *cluster) startClock(t testing.TB, datacenter string, now func() time.Time, settings ...string) (srv *servertest.Server, log *servertest.Output, stop func()) {
	t.Helper()
	srv = servertest.NewServer(t, c.setup(datacenter, settings...))
	cfg, err := config.Load(srv.Conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	log = &servertest.Output{}
	a, err := app.New(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)), app.WithNow(now))
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), servertest.StopLimit)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stop the server with a clock of its own: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("the server with a clock of its own said:\n%s", servertest.Tail(log.String(), 8000))
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	addrs := a.Addrs()
	srv.POP3, srv.LMTP = addrs["pop3"][0].String(), addrs["lmtp"][0].String()
	return srv, log, stop
}

// host adds the domain to the servers, through one of them. The others ask for unknown domains.
func host(t testing.TB, first *servertest.Server) {
	t.Helper()
	admin := first.Admin()
	defer admin.Close()
	mailtest.WaitFor(t, nodesLimit, func() error {
		_, err := admin.AddDomain(servertest.Deadline(t, servertest.StartLimit), servertest.Domain)
		return err
	})
}

// waitSeen waits until all running nodes see each other.
func (c *cluster) waitSeen(t testing.TB) {
	t.Helper()
	if err := c.WaitSeen(servertest.Deadline(t, nodesLimit)); err != nil {
		t.Fatal(err)
	}
}

// run runs a background job on a server, and returns the counts of its report.
func (c *cluster) run(t testing.TB, at *servertest.Server, job string) map[string]int64 {
	t.Helper()
	admin := at.Admin()
	defer admin.Close()
	counts := map[string]int64{}
	mailtest.WaitFor(t, nodesLimit, func() error {
		run, err := admin.RunTask(servertest.Deadline(t, nodesLimit), job, true)
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

// session is a connection to a node for the test's own statements. The caller closes it.
func (c *cluster) session(t testing.TB, node *cassandratest.Node) *gocql.Session {
	t.Helper()
	s, err := node.Session(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// repair replaces the operator's repair after the loss of hints with their nodes: reading from all
// replicas makes them equal.
func (c *cluster) repair(t testing.TB) {
	t.Helper()
	s := c.session(t, c.Nodes[0])
	defer s.Close()
	for _, table := range []string{"address", "domain", "mailbox", "content", "trash"} {
		rows := s.Query(fmt.Sprintf("SELECT * FROM %s.%s", keyspace, table)).
			Consistency(gocql.All).PageSize(200).IterContext(servertest.Deadline(t, nodesLimit))
		for rows.MapScan(map[string]any{}) {
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
