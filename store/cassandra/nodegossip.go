package cassandra

import (
	"context"
	"net"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// gossip is what the nodes of this datacenter hear of the nodes of the others, to which this server
// has no connections. A living node beats once a second.
type gossip struct {
	asked time.Time                  // when the nodes were last asked
	heard map[string]gossipHeartbeat // by address among the nodes
}

// gossipHeartbeat is the newest heartbeat of a node, and when it was first heard of.
type gossipHeartbeat struct {
	heartbeat
	at time.Time
}

// after reports whether h is newer than another heartbeat.
func (h heartbeat) after(other heartbeat) bool {
	return h.generation > other.generation || h.generation == other.generation && h.count > other.count
}

// Gossip tells of a change within seconds.
const (
	gossipLeast   = 10 * time.Second // between two questions, at least
	gossipSilence = 3                // so many questions without a newer heartbeat mean that a node is down
)

// lookAtGossip asks a node for the heartbeats of the nodes of other datacenters, once in a heartbeat
// of this server. A user that may not read system_views leaves their state unknown.
func (s *engine) lookAtGossip(ctx context.Context, now time.Time) {
	g := &s.cfg.nodes.gossip
	every := max(s.cfg.Heartbeat, gossipLeast)
	if now.Sub(g.asked) < every {
		return
	}
	g.asked = now
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	session := s.session()
	peers, err := readPeers(ctx, session)
	if err != nil {
		return
	}
	beats, err := readHeartbeats(ctx, session)
	if err != nil {
		return
	}
	for _, n := range peers {
		alive := g.hear(n.internal, beats[n.internal], now, gossipSilence*every)
		if s.cfg.nodes.watches(n.datacenter) {
			continue
		}
		address, _, err := net.SplitHostPort(n.address)
		if err != nil {
			continue
		}
		s.cfg.nodes.set(address, n.datacenter, alive, "the nodes here do not hear from it", now)
	}
}

// hear takes the heartbeat of a node, and reports whether a newer one has come within a time.
func (g *gossip) hear(node string, beat heartbeat, now time.Time, silence time.Duration) bool {
	if g.heard == nil {
		g.heard = map[string]gossipHeartbeat{}
	}
	last, known := g.heard[node]
	if !known || beat.after(last.heartbeat) {
		last = gossipHeartbeat{beat, now}
		g.heard[node] = last
	}
	return now.Sub(last.at) < silence
}

// unobserved is a statement about the cluster itself: it is neither counted nor traced.
func unobserved(session *gocql.Session, cql string, values ...any) *gocql.Query {
	return session.Query(cql, values...).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).Observer(nil).Trace(nil)
}
