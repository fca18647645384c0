package cassandra

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// peerServers holds the other servers of this datacenter as their heartbeats were last read. Safe for
// concurrent use.
type peerServers struct {
	own gocql.UUID    // of this process: a later process begins with timestamps of its own
	ttl time.Duration // lifetime of a heartbeat

	mu    sync.Mutex
	peers map[gocql.UUID]peer
	read  time.Time // zero: never
	// holds is the last moment at which the shares of the work held: the heartbeats were read, or no server could read them.
	holds time.Time
}

// peer is another server of this datacenter.
type peer struct {
	// clock is the clock of the server at its last heartbeat, in microseconds. Nil: the server does
	// not trust its clock, and does no background work.
	clock *int64
	// since is a moment at which the heartbeat had not yet arrived, and by a moment at which it had.
	since, by time.Time
}

func newPeerServers(cfg Config) *peerServers {
	return &peerServers{own: gocql.MustRandomUUID(), ttl: cfg.ttl()}
}

// set takes the clocks of all other servers, as asked for at a moment. A heartbeat is no older than its lifetime, also after
// a time in which the heartbeats could not be read.
func (s *peerServers) set(clocks map[gocql.UUID]*int64, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	peers := make(map[gocql.UUID]peer, len(clocks))
	for id, clock := range clocks {
		p := peer{clock: clock, since: later(s.read, asked.Add(-s.ttl)), by: now}
		old, known := s.peers[id]
		switch {
		case !known:
			p.since = asked.Add(-s.ttl)
		case old.clock != nil && clock != nil && *old.clock == *clock:
			p.since, p.by = old.since, old.by
		}
		peers[id] = p
	}
	s.peers, s.read, s.holds = peers, asked, asked
}

// unreadable notes that no server of the datacenter could read the heartbeats, as asked for at a moment. So no server has
// taken over the share of another one, and the shares hold if they held until now.
func (s *peerServers) unreadable(asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holdsLocked() {
		s.holds = asked
	}
}

func (s *peerServers) holdsLocked() bool { return !s.holds.IsZero() && time.Since(s.holds) <= s.ttl }

// clocks returns how far the clock wall is ahead of the clock of each other server. The age of a heartbeat is known only
// within bounds, which stay as close while no further heartbeat can be read: a distance that may be zero counts as zero.
func (s *peerServers) clocks(wall func() time.Time) []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []time.Duration
	for _, p := range s.peers {
		if p.clock == nil {
			continue
		}
		apart := wall().Sub(time.UnixMicro(*p.clock))
		least, most := apart-time.Since(p.since), apart-time.Since(p.by)
		list = append(list, min(max(0, least), most))
	}
	return list
}

// mine implements store.WorkShare.Mine: among all servers able to do a piece of work the server with the
// highest hash of both does it. When a server goes only its own share moves.
func (s *peerServers) mine(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.holdsLocked() {
		return false
	}
	own := weight(s.own, key)
	for id, p := range s.peers {
		if p.clock != nil && weight(id, key) > own {
			return false
		}
	}
	return true
}

func weight(server gocql.UUID, key string) uint64 {
	sum := sha256.Sum256(append(server[:], key...))
	return binary.BigEndian.Uint64(sum[:8])
}

// ttl returns the lifetime of a heartbeat in the table server, in whole seconds.
func (c Config) ttl() time.Duration {
	return max(time.Duration(c.MissedBeats)*c.Heartbeat, time.Second).Truncate(time.Second)
}
