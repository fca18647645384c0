package nodes

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/bench"
	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// renewal is a server on three nodes that move or are replaced, while the server accepts, shows and removes mail.
type renewal struct {
	*testing.T
	*cassandratest.Cluster
	cfg    cassandra.Config
	srv    *servertest.Server
	log    *servertest.Output
	load   *servertest.Load
	path   string // of the journal
	logins []bench.Login

	delivered bench.Progress
	mu        sync.Mutex
	removed   int64
	faults    []string // errors that clients have seen
}

// newRenewal starts three nodes, a server, and the load. Half of the maildrops are emptied again and again.
func newRenewal(t *testing.T) *renewal {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("needs three nodes of its own, and takes some minutes: set TEST_CHAOS=1")
	}
	r := &renewal{T: t, path: servertest.JournalIn(t), Cluster: cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 3}}, Nodetool: true, RingDelay: 10 * time.Second,
		// A busy machine is no fault.
		Settings: map[string]string{"read_request_timeout": "20s", "write_request_timeout": "20s", "hints_flush_period": "1000ms"},
	})}
	r.cfg = cassandra.Config{
		Hosts: r.Addresses("dc1"), Datacenter: "dc1", Keyspace: "renewal", Replication: map[string]int{"dc1": 3},
		SpoolDir: t.TempDir(), Timeout: time.Minute, ConnectTimeout: 20 * time.Second,
	}
	enginetest.Apply(t, r.cfg)
	s := &sitetest.Sites{Cluster: &sitetest.Cluster{Cluster: r.Cluster, Keyspace: r.cfg.Keyspace}}
	r.srv, r.log, _ = s.StartClock(t, "dc1", time.Now, `cassandra.timeout = "1m"`, `cassandra.queue_time = "1m"`)
	sitetest.Host(t, r.srv)
	var users []string
	for i := range 8 {
		a := r.srv.Account(t, fmt.Sprint("user", i))
		users = append(users, a.Address)
		r.logins = append(r.logins, bench.Login{Name: a.Address, Password: a.Password})
	}
	r.load = servertest.StartLoad(t, r.path)
	r.load.Run("deliver", func() (bench.Report, error) {
		report, err := bench.Deliver(r.load.Ctx, bench.DeliverConfig{
			Target: bench.Target{Addr: r.srv.LMTP}, Users: users, Recipients: 2, From: "load@sender.example",
			Messages: bench.Messages{Size: 3000, Awkward: 0.3}, Connections: 3, Rate: 15, Duration: time.Hour,
			Reconnect: sitetest.Limit, Resend: true, Journal: r.load.Journal, Progress: &r.delivered,
		})
		r.note(report)
		return report, err
	})
	r.load.Go(func() {
		for r.load.Ctx.Err() == nil {
			report, err := bench.Drain(r.load.Ctx, bench.DrainConfig{
				Target: bench.Target{Addr: r.srv.POP3}, Logins: r.logins[:4], Check: true, Reconnect: sitetest.Limit, Journal: r.load.Journal,
			})
			r.note(report)
			r.load.Failed("drain", err)
			select {
			case <-r.load.Ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	r.goesOn("with all nodes")
	return r
}

// note adds the result of a part of the load.
func (r *renewal) note(report bench.Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range report.Rows {
		if row.Name == "DELE+QUIT" {
			r.removed += row.Count
		}
	}
	for _, e := range report.Errors {
		r.faults = append(r.faults, fmt.Sprintf("%s: %d times %s", report.Name, e.Count, e.Class))
	}
}

// goesOn waits until mail is delivered and removed, and fails the test if a client has seen an error.
func (r *renewal) goesOn(when string) {
	r.Helper()
	removed := func() int64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.removed
	}
	before := removed()
	servertest.WaitDelivered(r, sitetest.Limit, when, &r.delivered, 60)
	mailtest.WaitFor(r, sitetest.Limit, func() error {
		if n := removed() - before; n < 30 {
			return fmt.Errorf("%d messages removed %s", n, when)
		}
		return nil
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := r.delivered.Errors(); n > 0 || len(r.faults) > 0 {
		r.Errorf("%s: %d deliveries had an error; %q", when, n, r.faults)
	}
}

// logged waits until the server's log has exactly one line with all texts.
func (r *renewal) logged(texts ...string) {
	r.Helper()
	mailtest.WaitFor(r, sitetest.Limit, func() error {
		n := 0
		for line := range strings.Lines(r.log.String()) {
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
				n++
			}
		}
		if n > 1 {
			r.Fatalf("%d lines with %q, want one", n, texts)
		}
		if n == 0 {
			return fmt.Errorf("no line with %q", texts)
		}
		return nil
	})
}

// requests returns the count of requests that clients have sent to a node on the connections of now.
func (r *renewal) requests(n *cassandratest.Node) (count int64) {
	r.Helper()
	s, err := n.Session(10 * time.Minute)
	if err != nil {
		r.Fatal(err)
	}
	defer s.Close()
	if err := s.Query("SELECT sum(request_count) FROM system_views.clients").Consistency(gocql.One).Scan(&count); err != nil {
		r.Fatal(err)
	}
	return count
}

// works waits until the server sends statements to a node.
func (r *renewal) works(n *cassandratest.Node) {
	r.Helper()
	before := r.requests(n)
	mailtest.WaitFor(r, sitetest.Limit, func() error {
		if got := r.requests(n) - before; got < 100 {
			return fmt.Errorf("%d requests at %s", got, n.Address)
		}
		return nil
	})
}

// away kills a node, waits until the server and the doctor know, and checks that mail goes on.
func (r *renewal) away(n *cassandratest.Node) {
	r.Helper()
	n.Kill()
	r.goesOn("right after " + n.Name + " was killed")
	if err := r.WaitDown(r.Context(), n); err != nil {
		r.Fatal(err)
	}
	r.logged("level=WARN", "Cassandra nodes do not answer", "datacenter=dc1", "nodes="+n.Address+" ", "up=2", "down=1")
	r.goesOn("without " + n.Name)
}

// whole checks that the server and the doctor know all three nodes, each at its address.
func (r *renewal) whole(old string) {
	r.Helper()
	if err := r.WaitSeen(r.Context()); err != nil {
		r.Fatal(err)
	}
	cfg := r.cfg
	cfg.Hosts = r.Addresses("dc1")
	found := enginetest.Doctor(r, cfg)
	found.Say(r, cassandra.FindingOK, "node", append([]string{"3 nodes reached"}, cfg.Hosts...)...)
	if bad := found.Errors(); len(bad) > 0 {
		r.Errorf("the doctor finds %+v", bad)
	}
	if text := found.Printed(); old != "" && strings.Contains(text, old+":") {
		r.Errorf("the doctor names the old address %s:\n%s", old, text)
	}
}

// nodetool runs nodetool on a node.
func (r *renewal) nodetool(n *cassandratest.Node, args ...string) {
	r.Helper()
	tool, err := n.Nodetool(r.Context(), args...)
	if err != nil {
		r.Fatal(err)
	}
	var out bytes.Buffer
	tool.Stdout, tool.Stderr = &out, &out
	began := time.Now()
	if err := tool.Run(); err != nil {
		r.Fatalf("nodetool %q on %s: %v\n%s", args, n.Name, err, servertest.Tail(out.String(), 2000))
	}
	r.Logf("nodetool %s on %s: %v", strings.Join(args, " "), n.Name, time.Since(began).Round(100*time.Millisecond))
}

// verify ends the load, and compares the maildrops with the journal.
func (r *renewal) verify() {
	r.Helper()
	r.load.Stop(r)
	servertest.Verify(r, r.srv, r.path, r.logins)
	delivered, _ := r.delivered.Done()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Logf("%d messages delivered, %d removed", delivered, r.removed)
	if len(r.faults) > 0 {
		r.Errorf("clients have seen errors: %q", r.faults)
	}
}

// One node after the other comes back with its data under another address, until no node has its first address.
// The server notices each by its host id, and mail goes on without an error.
func TestNodesMove(t *testing.T) {
	r := newRenewal(t)
	for _, name := range []string{"dc1-3", "dc1-2", "dc1-1"} {
		n := r.Node(name)
		old := n.Address
		r.away(n)
		found := enginetest.Doctor(t, r.cfg)
		found.Say(t, cassandra.FindingWarning, "node", old, "is down", "repair or replace it")
		if err := r.Move(n); err != nil {
			t.Fatal(err)
		}
		n.Restart(t)
		r.logged("level=INFO", "Cassandra nodes are back", "nodes="+n.Address+" ", "up=3", "down=0", fmt.Sprintf("moved=%q", old+" is now "+n.Address))
		r.whole(old)
		r.works(n)
		r.goesOn("with " + n.Name + " at " + n.Address)
		found = enginetest.Doctor(t, r.cfg)
		found.Say(t, cassandra.FindingWarning, "contact", old, "cannot be used", "correct cassandra.hosts")
		r.cfg.Hosts = r.Addresses("dc1")
	}
	// The driver also notices the next absence of a moved node.
	n := r.Node("dc1-3")
	r.away(n)
	n.Restart(t)
	r.works(n)
	r.verify()
}

// One node after the other loses its disks and is replaced by an empty node, as the page for operators says, the
// first at the same address, the others at addresses of their own. Until no node of the beginning is left, mail is
// accepted without an error, no acknowledged message is lost, and no removed message returns.
func TestAllNodesReplaced(t *testing.T) {
	r := newRenewal(t)
	for i, n := range slices.Clone(r.Nodes) {
		old := n.Address
		r.away(n)
		survivors := slices.DeleteFunc(slices.Clone(r.Nodes), func(o *cassandratest.Node) bool { return o == n })
		for _, s := range survivors {
			r.nodetool(s, "repair", "--full", "--in-hosts", survivors[0].Address, "--in-hosts", survivors[1].Address, "--", r.cfg.Keyspace)
		}
		r.goesOn("after the repair of the nodes that survived " + n.Name)
		began := time.Now()
		if i == 0 {
			if err := r.Replace(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			r.logged("level=INFO", "Cassandra nodes are back", "nodes="+n.Address+" ", "up=3", "down=0")
			old = ""
		} else {
			if err := r.ReplaceElsewhere(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			r.logged("level=INFO", "has left the cluster", "node="+old)
		}
		t.Logf("%s was replaced in %v", n.Name, time.Since(began).Round(time.Second))
		r.goesOn("with the new " + n.Name)
		r.nodetool(n, "repair", r.cfg.Keyspace)
		r.whole(old)
		r.works(n)
		r.goesOn("after the repair of the new " + n.Name)
	}
	r.verify()
}
