package cluster

import (
	"fmt"
	"net"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// spotOf names a place in the network: a node, or a server that has sessions.
type peer struct {
	name, datacenter string
	slow             float64 // factor of the time of messages; zero: 1
}

// node is a node of the cluster. The lock of the cluster guards all fields.
type node struct {
	peer
	cluster *Cluster
	index   int
	id      gocql.UUID
	idText  string
	address string
	ip      net.IP // the same
	rack    string
	tokens  []int64

	running    bool
	gone       bool // the machine is lost with its datacenter
	removed    bool // the node is no member of the cluster
	paused     bool
	overloaded bool
	failing    bool // writes fail
	life       int  // counts starts: work of an earlier life is dead
	begun      int64
	waiting    []func() // messages that wait while the node is paused
	requests   requests
	data       *storage
	synced     int64 // the last sync of the commit log before the newest entry of the journal
	clock      clock
	hints      hints
}

// clock is the clock of a node: base at the moment since, and from there with a rate.
type clock struct {
	since int64
	base  time.Time
	rate  float64
}

func (n *node) wall() time.Time {
	passed := n.cluster.now() - n.clock.since
	if n.clock.rate != 1 {
		passed = int64(float64(passed) * n.clock.rate)
	}
	return n.clock.base.Add(time.Duration(passed))
}

func (n *node) moment() moment {
	now := n.wall()
	return moment{now.UnixMicro(), now.Unix()}
}

// ready reports whether a node executes something now.
func (n *node) ready() bool { return n.running && !n.paused }

// apply executes a mutation.
func (n *node) apply(m *mutation) {
	n.sync()
	n.data.apply(m)
}

// sync lets the journal forget what has reached the disk.
func (n *node) sync() {
	j := n.data.journal
	if j == nil {
		return
	}
	every := int64(n.cluster.config.LogSync)
	if window := n.cluster.now() / every; window != n.synced {
		j.sync()
		n.synced = window
	}
}

// read executes a command.
func (n *node) read(c *readCommand) *answer {
	return n.data.read(c, c.now-int64(c.table.gcGrace/time.Second))
}

func (n *node) String() string { return fmt.Sprintf("%s (%s)", n.name, n.address) }
