package cassandra

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// ttl is how long a heartbeat stays in the table, in whole seconds.
func (c Config) ttl() time.Duration {
	return max(time.Duration(c.MissedBeats)*c.Heartbeat, time.Second).Truncate(time.Second)
}

// beating is this server's place among those of its datacenter: what it wrote there, and what
// it read.
type beating struct {
	id      gocql.UUID // of this process: a later one starts with timestamps of its own
	started time.Time
	cancel  context.CancelFunc
	loops   sync.WaitGroup // the beats, and the looks at the clock

	// differing says who has which window, if the servers differ; nil: they do not.
	differing atomic.Pointer[string]

	mu    sync.Mutex
	peers map[gocql.UUID]peer // the others, as last read
	read  time.Time           // when; zero: never

	// Used by the goroutine that beats only, and before it starts.
	written int64 // timestamp of our row
	failing bool  // the last beat failed, which was logged
}

// peer is another server of this datacenter.
type peer struct {
	// clock is its own at its last heartbeat; nil: it does not trust it, and does no work.
	clock *int64
	// since is a moment by which that heartbeat had not arrived yet.
	since time.Time
}

// startBeating does the first heartbeat and starts the others. A first one that fails is no
// reason not to start: this server then has no share of the work until one succeeds.
func (s *engine) startBeating(ctx context.Context) {
	beats, cancel := context.WithCancel(context.Background())
	s.beating.id, s.beating.started = gocql.MustRandomUUID(), s.wall()
	s.beating.cancel = cancel
	s.beat(ctx)
	s.beating.loops.Go(func() { s.keepLooking(beats) })
	s.beating.loops.Go(func() {
		again := time.NewTicker(s.cfg.Heartbeat)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				s.beat(beats)
			case <-beats.Done():
				return
			}
		}
	})
}

// stopBeating ends the heartbeats and takes this server out of the table, so that others take
// over at once.
func (s *engine) stopBeating() {
	s.beating.cancel()
	s.beating.loops.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.exec(ctx, statement{ // it expires if not
		cql: deleteServer, values: []any{s.nextBeat(), s.cfg.Datacenter, s.beating.id},
		consistency: gocql.LocalQuorum, what: "take leave of the other servers",
	})
}

// beat reads what the other servers wrote, looks at the clock, and writes what they should know.
func (s *engine) beat(until context.Context) {
	ctx, cancel := context.WithTimeout(until, max(s.cfg.Timeout, s.cfg.Heartbeat))
	defer cancel()
	err := s.readPeers(ctx)
	if clockErr := s.checkClock(ctx); err == nil {
		err = clockErr
	}
	if writeErr := s.writeBeat(ctx); err == nil {
		err = writeErr
	}
	failing := err != nil
	if failing == s.beating.failing || until.Err() != nil {
		return
	}
	s.beating.failing = failing
	if failing {
		s.cfg.Logger.Warn("heartbeat failed: this server may have to leave background work to the others", "cause", err)
	} else {
		s.cfg.Logger.Info("heartbeats work again")
	}
}

// nextBeat is the timestamp of the next write of our row.
func (s *engine) nextBeat() int64 {
	s.beating.written = max(micros(s.now()), s.beating.written+1)
	return s.beating.written
}

func (s *engine) writeBeat(ctx context.Context) error {
	var clock any // null: do not count on us
	if s.Clock() == nil {
		clock = micros(s.now())
	}
	b := &s.beating
	err := s.exec(ctx, statement{
		cql: insertServer,
		values: []any{
			s.cfg.Datacenter, b.id, encodeText(s.cfg.Server), encodeText(s.cfg.Address), encodeText(s.cfg.Version),
			micros(b.started), clock, s.cfg.Window.Microseconds(), int(s.cfg.ttl() / time.Second), s.nextBeat(),
		},
		consistency: gocql.LocalQuorum, what: "write a heartbeat",
	})
	if err != nil || clock == nil {
		return err
	}
	return s.raiseWatermark(ctx)
}

// readPeers reads the heartbeats of this datacenter, and what those of the others say of windows.
func (s *engine) readPeers(ctx context.Context) error {
	b := &s.beating
	asked := time.Now()
	clocks := map[gocql.UUID]*int64{}
	var others []peerNote
	for _, datacenter := range s.datacenters {
		err := s.readHeartbeats(ctx, datacenter, func(id gocql.UUID, clock *int64, t peerNote) {
			if id == b.id {
				return
			}
			others = append(others, t)
			if datacenter == s.cfg.Datacenter {
				clocks[id] = clock
			}
		})
		if err != nil {
			return err
		}
	}
	s.compareWindows(others)
	b.mu.Lock()
	defer b.mu.Unlock()
	peers := make(map[gocql.UUID]peer, len(clocks))
	for id, clock := range clocks {
		p := peer{clock: clock, since: b.read}
		old, known := b.peers[id]
		switch {
		case !known:
			p.since = asked.Add(-s.cfg.ttl())
		case old.clock != nil && clock != nil && *old.clock == *clock:
			p.since = old.since
		}
		peers[id] = p
	}
	b.peers, b.read = peers, asked
	s.metrics.servers.Set(float64(len(peers) + 1))
	return nil
}

// readHeartbeats calls found for each server of a datacenter that is alive.
func (s *engine) readHeartbeats(ctx context.Context, datacenter string, found func(id gocql.UUID, clock *int64, t peerNote)) error {
	return s.readAll(ctx, statement{
		cql: selectServers, values: []any{datacenter}, consistency: gocql.LocalQuorum, what: "read the heartbeats",
	}, 1000, func(scan func(...any) error) error {
		var row serverRow
		var err error
		row.scan(func(dest ...any) bool { err = scan(dest...); return err == nil })
		if err != nil {
			return err
		}
		t, err := row.told(datacenter)
		if err == nil {
			found(row.id, row.clock, t)
		}
		return err
	})
}

// Mine implements store.WorkShare: of all servers that could do a piece of work the one does it
// for which a hash of both is the highest. So when one goes only its own share moves.
func (s *engine) Mine(key string) bool {
	b := &s.beating
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.read.IsZero() || time.Since(b.read) > s.cfg.ttl() {
		return false
	}
	own := weight(b.id, key)
	for id, p := range b.peers {
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
