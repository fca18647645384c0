package cassandra

import (
	"context"
	"net"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// gossip holds the heartbeats of the nodes of other datacenters, as the nodes of this datacenter hear
// them. This server has no connections to those nodes. A living node beats once a second.
type gossip struct {
	every time.Duration         // between two questions
	asked time.Time             // when a node was asked last
	heard map[string]gossipBeat // by internal address
}

// gossipBeat holds the newest heartbeat of a node, and when it was first heard.
type gossipBeat struct {
	nodeBeat
	at time.Time
}

// after reports whether h is newer than another nodeBeat.
func (h nodeBeat) after(other nodeBeat) bool {
	return h.generation > other.generation || h.generation == other.generation && h.count > other.count
}

// Limits of gossip. A change spreads among the nodes within seconds.
const (
	gossipLeast   = 10 * time.Second // shortest time between two questions
	gossipSilence = 3                // questions without a newer heartbeat until a node counts as down
)

// lookAtGossip asks a node for the heartbeats of the nodes of other datacenters, once in a heartbeat
// of this server. Without permission to read system_views their state stays unknown.
func (w *nodeWatch) lookAtGossip(ctx context.Context, session driver.Session, now time.Time) {
	g := &w.gossip
	if now.Sub(g.asked) < g.every {
		return
	}
	g.asked = now
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	peers, err := readPeers(ctx, session)
	if err != nil || len(peers) == 0 {
		return
	}
	beats, err := readNodeBeats(ctx, session)
	if err != nil {
		return
	}
	var known []driver.Node
	for _, n := range peers {
		alive := g.hear(n.internal, beats[n.internal], now, gossipSilence*g.every)
		if w.watches(n.datacenter) {
			continue
		}
		address, _, err := net.SplitHostPort(n.address)
		if err != nil {
			continue
		}
		known = append(known, driver.Node{ID: n.id.String(), Address: address, Datacenter: n.datacenter, Up: alive})
	}
	w.takeGossip(known, now)
}

// takeGossip records the state of the nodes of datacenters without a session, and drops all other nodes of such
// datacenters.
func (w *nodeWatch) takeGossip(known []driver.Node, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	byDatacenter := map[string][]driver.Node{}
	for _, n := range w.nodes {
		if !w.watchesLocked(n.datacenter) {
			byDatacenter[n.datacenter] = nil
		}
	}
	for _, n := range known {
		byDatacenter[n.Datacenter] = append(byDatacenter[n.Datacenter], n)
	}
	for datacenter, nodes := range byDatacenter {
		w.keepLocked(datacenter, nodes)
		for _, n := range nodes {
			w.setLocked(n.ID, n.Address, datacenter, n.Up, "the local nodes do not hear from it", now)
		}
	}
}

// hear records the heartbeat of a node, and reports whether the heartbeat rose within silence.
func (g *gossip) hear(node string, beat nodeBeat, now time.Time, silence time.Duration) bool {
	if g.heard == nil {
		g.heard = map[string]gossipBeat{}
	}
	last, known := g.heard[node]
	if !known || beat.after(last.nodeBeat) {
		last = gossipBeat{beat, now}
		g.heard[node] = last
	}
	return now.Sub(last.at) < silence
}

// unobserved returns a statement about the cluster itself, which is neither counted nor traced.
func unobserved(cql string, values ...any) driver.Statement {
	return driver.Statement{CQL: cql, Values: values, Consistency: gocql.One, Quiet: true}
}
