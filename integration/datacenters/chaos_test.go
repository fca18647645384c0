package datacenters

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"popelago/bench"
	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
	"popelago/mailtest"
)

// chaosForm is the amount of chaos.
type chaosForm struct {
	nodes int // and replicas, in each datacenter
	rate  float64
	// Least durations of the faults: each also lasts until mail was delivered meanwhile. Datacenters of one
	// node have no outage of their own.
	dead, paused, cut, outage, clocks time.Duration
}

// short is for every run of the tests, full is for TEST_CHAOS.
var (
	short = chaosForm{nodes: 1, rate: 8, paused: 5 * time.Second, cut: 8 * time.Second}
	full  = chaosForm{nodes: 3, rate: 15, dead: 20 * time.Second, paused: 30 * time.Second,
		cut: time.Minute, outage: 30 * time.Second, clocks: 30 * time.Second}
)

// chaos is a running test.
type chaos struct {
	form    chaosForm
	cluster *sitetest.Cluster
	one     *servertest.Server // in dc1
	two     *servertest.Server // in dc2
	logins  []bench.Login
	load    *chaosLoad
	// Deliveries in the two datacenters.
	progress [2]*bench.Progress
}

// TestChaos breaks two datacenters in one way after the other while they accept and serve mail, and
// then checks the promises: no acknowledged message is lost, no removed message is back, and both
// datacenters show the same.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	c := &chaos{form: short}
	var nodes *cassandratest.Cluster
	if os.Getenv("TEST_CHAOS") == "" {
		nodes = datacenters.Get(t)
	} else {
		c.form = full
		nodes = cassandratest.Start(t, cassandratest.Options{Link: true, Datacenters: []cassandratest.Datacenter{
			{Name: "dc1", Nodes: full.nodes}, {Name: "dc2", Nodes: full.nodes},
		}})
	}
	c.cluster = sitetest.NewCluster(t, nodes)
	c.one, c.two = c.cluster.Start(t, "dc1"), c.cluster.Start(t, "dc2")
	sitetest.Host(t, c.one)
	var users []string
	for i := range 8 {
		a := c.one.Account(t, fmt.Sprintf("user%d", i))
		users = append(users, a.Address)
		c.logins = append(c.logins, bench.Login{Name: a.Address, Password: a.Password})
	}
	path := servertest.JournalIn(t)
	c.load = startChaosLoad(t, path, users)
	// Some maildrops are drained in one datacenter, some in both, and some keep all mail.
	c.progress[0] = c.load.at(t.Context(), "dc1", c.one, c.form.rate, c.logins[:4])
	c.progress[1] = c.load.at(t.Context(), "dc2", c.two, c.form.rate, c.logins[2:6])
	c.goesOn(t, 0, 1)
	for _, fault := range c.faults() {
		start := time.Now()
		fault.do(t)
		broken := time.Since(start)
		c.cluster.WaitWhole(t)
		c.goesOn(t, 0, 1)
		t.Logf("%s: %v, all well %v later", fault.name, broken.Round(time.Second), (time.Since(start) - broken).Round(time.Second))
	}
	c.load.stop(t)
	c.agree(t)
	c.checked(t)
	for _, s := range []*servertest.Server{c.one, c.two} { // the second must see the notes of the first
		servertest.Verify(t, s, path, c.logins)
	}
	if err := cassandratest.Uncoordinated(nodes); err != nil {
		t.Error(err)
	}
}

// fault is a fault and its repair.
type fault struct {
	name string
	do   func(testing.TB)
}

// faults returns the faults, in order. A datacenter of one node stops when its node is killed, and
// has no outage of its own.
func (c *chaos) faults() []fault {
	list := []fault{
		{"a node is killed and restarted", c.nodeKilled},
		{"a node is paused", c.nodePaused},
		{"the line is cut", c.lineCut},
	}
	if c.form.nodes > 1 {
		list = append(list, fault{"a datacenter stops", c.datacenterStopped})
	}
	return append(list, fault{"a server is killed", c.serverKilled}, fault{"clocks are wrong", c.clocksWrong})
}

// goesOn waits until mail is delivered in datacenters.
func (c *chaos) goesOn(t testing.TB, datacenters ...int) {
	t.Helper()
	for _, i := range datacenters {
		servertest.WaitDelivered(t, sitetest.Limit, fmt.Sprintf("in dc%d", i+1), c.progress[i], 20)
	}
}

// nodeKilled kills a node of dc1. If dc1 has further nodes, mail flows on.
func (c *chaos) nodeKilled(t testing.TB) {
	n := c.last("dc1")
	n.Kill()
	hold(t.Context(), c.form.dead)
	c.goesOn(t, c.unharmed(1)...)
	n.Restart(t)
}

// nodePaused stops a node of dc2 with SIGSTOP.
func (c *chaos) nodePaused(t testing.TB) {
	n := c.last("dc2")
	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	hold(t.Context(), c.form.paused)
	c.goesOn(t, c.unharmed(0)...)
	if err := n.Resume(); err != nil {
		t.Fatal(err)
	}
}

// last returns the node that servers ask last.
func (c *chaos) last(datacenter string) *cassandratest.Node {
	nodes := c.cluster.Datacenter(datacenter)
	return nodes[len(nodes)-1]
}

// unharmed returns the datacenters that deliver mail while one node is down.
func (c *chaos) unharmed(other int) []int {
	if c.form.nodes > 1 {
		return []int{0, 1}
	}
	return []int{other}
}

// lineCut cuts the datacenters off from each other. Both go on.
func (c *chaos) lineCut(t testing.TB) {
	if err := c.cluster.Cut("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
	hold(t.Context(), c.form.cut)
	c.goesOn(t, 0, 1)
	if err := c.cluster.Heal("dc1", "dc2"); err != nil {
		t.Fatal(err)
	}
}

// datacenterStopped kills all nodes of dc2 at once. dc1 continues.
func (c *chaos) datacenterStopped(t testing.TB) {
	nodes := c.cluster.Datacenter("dc2")
	each := func(do func(*cassandratest.Node)) {
		var all sync.WaitGroup
		for _, n := range nodes {
			all.Go(func() { do(n) })
		}
		all.Wait()
	}
	each((*cassandratest.Node).Kill)
	hold(t.Context(), c.form.outage)
	c.goesOn(t, 0)
	each(func(n *cassandratest.Node) {
		if err := n.Start(servertest.Deadline(t, sitetest.Limit)); err != nil {
			t.Error(err)
		}
	})
}

// serverKilled kills the server of dc1 while it delivers. A message in flight may be stored twice,
// when its sender repeats the message.
func (c *chaos) serverKilled(t testing.TB) {
	c.one.Proc.Signal(syscall.SIGKILL)
	c.one.Proc.Wait(t, servertest.StopLimit)
	c.goesOn(t, 1)
	c.one.Start(t)
}

// clocksWrong adds a server in each datacenter whose clock is 4 minutes ahead or behind, for a while.
func (c *chaos) clocksWrong(t testing.TB) {
	const wrong = 4 * time.Minute
	ahead, stopAhead := c.cluster.StartAhead(t, "dc1", wrong)
	defer stopAhead()
	behind, stopBehind := c.cluster.StartAhead(t, "dc2", -wrong)
	defer stopBehind()
	ctx, end := context.WithCancel(t.Context())
	defer end()
	for _, l := range []struct {
		name     string
		progress *bench.Progress
	}{
		{"where the clock is ahead", c.load.at(ctx, "ahead", ahead, c.form.rate, c.logins[1:3])},
		{"where the clock is behind", c.load.at(ctx, "behind", behind, c.form.rate, c.logins[3:5])},
	} {
		servertest.WaitDelivered(t, sitetest.Limit, l.name, l.progress, 20)
	}
	hold(ctx, c.form.clocks)
}

// agree waits until both datacenters show the same in all maildrops. Hints lost with a killed node
// may need a repair.
func (c *chaos) agree(t testing.TB) {
	t.Helper()
	start := time.Now()
	const hints = 90 * time.Second
	repaired := false
	mailtest.WaitFor(t, sitetest.Limit, func() error {
		if time.Since(start) > hints && !repaired {
			repaired = true
			c.cluster.Repair(t)
		}
		for _, l := range c.logins {
			a := servertest.Account{Address: l.Name, Password: l.Password}
			one, two := lists(t, c.one, a), lists(t, c.two, a)
			if !slices.Equal(one, two) {
				return fmt.Errorf("%s: %d messages in dc1, %d in dc2, or different messages", l.Name, len(one), len(two))
			}
		}
		return nil
	})
	t.Logf("both datacenters agree after %v, repaired: %v", time.Since(start).Round(time.Second), repaired)
}

// lists returns the unique-ids of a maildrop with the sizes.
func lists(t testing.TB, s *servertest.Server, a servertest.Account) []string {
	t.Helper()
	session := s.Login(t, a)
	defer session.Close()
	list := servertest.Listing(t, session, "UIDL")
	for i, size := range servertest.Listing(t, session, "LIST") {
		list[i] += " " + size
	}
	session.Do("QUIT", "+OK")
	return list
}
