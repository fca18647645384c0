package cassandra

import (
	"context"
	"errors"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// heartbeat announces this server in the table server, and reads the other servers from it.
type heartbeat struct {
	cfg         Config
	run         *runner
	clock       *clockWatch
	peers       *peerServers
	roll        *roll
	windows     *windowCheck
	pulse       *pulse
	metrics     *metrics
	datacenters []string // with replicas, in order

	started time.Time
	cancel  context.CancelFunc
	ended   chan struct{}

	// Used by the loop, and before it starts.
	written  int64 // timestamp of the own row
	failing  bool  // the last beat failed, and was logged
	readings map[string]reading
}

// reading holds when the heartbeats of a datacenter were read last, and until when a reading may lack servers that are alive.
type reading struct{ last, doubt time.Time }

// errBeatsMissing: the heartbeats could not be read for so long that they may have expired unseen.
var errBeatsMissing = fmt.Errorf("cassandra: %w: the heartbeats can be read again, and may not be complete yet", store.ErrUnavailable)

// whole returns nil if a reading of the heartbeats of a datacenter, asked for at a moment, has all servers that are alive. While the
// heartbeats could not be read, the servers could not write them either, and their rows expired: each server needs the time
// of a beat to write a row again.
func (h *heartbeat) whole(datacenter string, asked time.Time) error {
	r := h.readings[datacenter]
	if !r.last.IsZero() && asked.Sub(r.last) > max(h.cfg.ttl()/2, 2*h.cfg.Heartbeat) {
		r.doubt = asked.Add(h.cfg.Heartbeat * 3 / 2)
	}
	r.last = asked
	h.readings[datacenter] = r
	if asked.Before(r.doubt) {
		return errBeatsMissing
	}
	return nil
}

// start does the first heartbeat and begins the loop. datacenters lists the datacenters with replicas. After a first heartbeat that fails this server
// has no share of the background work until one succeeds.
func (h *heartbeat) start(ctx context.Context, datacenters []string) {
	beats, cancel := context.WithCancel(context.Background())
	h.datacenters, h.started = datacenters, h.clock.wall()
	h.cancel, h.ended = cancel, make(chan struct{})
	h.beat(ctx)
	go func() {
		defer close(h.ended)
		again := time.NewTicker(h.cfg.Heartbeat)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				h.beat(beats)
			case <-beats.Done():
				return
			}
		}
	}()
}

// stop ends the loop and removes this server from the table, so that other servers take over its
// share at once.
func (h *heartbeat) stop() {
	h.cancel()
	<-h.ended
	ctx, cancel := context.WithTimeout(context.Background(), min(h.cfg.Timeout, 10*time.Second))
	defer cancel()
	_ = h.run.exec(ctx, statement{ // otherwise the row expires
		cql: deleteServer, values: []any{h.nextTimestamp(), h.cfg.Datacenter, h.peers.own},
		consistency: gocql.LocalQuorum, what: "take leave of the other servers",
	})
}

// beat reads the other servers, compares the clock, and writes the own row.
func (h *heartbeat) beat(until context.Context) {
	ctx, cancel := context.WithTimeout(until, max(h.cfg.Timeout, h.cfg.Heartbeat))
	defer cancel()
	err := h.readServers(ctx)
	if clockErr := h.clock.compareNow(ctx); err == nil {
		err = clockErr
	}
	if writeErr := h.write(ctx); err == nil {
		err = writeErr
	}
	failing := err != nil
	if failing == h.failing || until.Err() != nil {
		return
	}
	h.failing = failing
	if failing {
		h.cfg.Logger.Warn("heartbeat failed: this server may have to leave background work to the others", "cause", err)
	} else {
		h.cfg.Logger.Info("heartbeats work again")
	}
}

// nextTimestamp returns the timestamp of the next write of the own row.
func (h *heartbeat) nextTimestamp() int64 {
	h.written = max(micros(h.cfg.Now()), h.written+1)
	return h.written
}

func (h *heartbeat) write(ctx context.Context) error {
	var clock any // null: this server does no background work
	if h.clock.Clock() == nil {
		clock = micros(h.cfg.Now())
	}
	err := h.run.exec(ctx, statement{
		cql: insertServer,
		values: []any{
			h.cfg.Datacenter, h.peers.own, encodeText(h.cfg.Server), encodeText(h.cfg.Address), encodeText(h.cfg.Version),
			micros(h.started), clock, h.cfg.Window.Microseconds(), encodeText(h.cfg.Admin), ttlSeconds(h.cfg.Now(), h.cfg.ttl()), h.nextTimestamp(),
		},
		consistency: gocql.LocalQuorum, what: "write a heartbeat",
	})
	if err != nil || clock == nil {
		return err
	}
	return h.clock.raiseWatermark(ctx)
}

// readServers reads the clocks of the servers of this datacenter, and the windows of the servers of
// all datacenters. The heartbeats of each datacenter are a partition: a partition that cannot be read keeps none of
// the others from being read.
func (h *heartbeat) readServers(ctx context.Context) error {
	asked := time.Now()
	var failed error
	var others []serverWindow
	for _, datacenter := range h.datacenters {
		clocks := map[gocql.UUID]*int64{}
		err := h.readDatacenter(ctx, datacenter, func(row serverRow) error {
			if row.id == h.peers.own {
				return nil
			}
			w, err := row.windowOf(datacenter)
			if err != nil {
				return err
			}
			s, err := row.serverOf(datacenter)
			if err != nil {
				return err
			}
			until, alive := h.pulse.read(row, asked)
			if !alive {
				return nil
			}
			h.roll.see(s, asked, until)
			others = append(others, w)
			clocks[row.id] = row.clock
			return nil
		})
		if err == nil {
			err = h.whole(datacenter, asked)
		}
		if err != nil {
			failed = errors.Join(failed, err)
		}
		switch {
		case datacenter != h.cfg.Datacenter:
		case err == nil:
			h.peers.set(clocks, asked)
			h.metrics.servers.Set(float64(len(clocks) + 1))
		case lacksReplicas(err), errors.Is(err, errBeatsMissing):
			h.peers.unreadable(asked)
		}
	}
	if failed != nil {
		return failed
	}
	h.pulse.forget(asked)
	h.roll.leave(asked, time.Now())
	h.windows.compare(others)
	return nil
}

// readDatacenter calls found for each server of a datacenter that is alive.
func (h *heartbeat) readDatacenter(ctx context.Context, datacenter string, found func(serverRow) error) error {
	return h.run.readAll(ctx, statement{
		cql: selectServers, values: []any{datacenter}, consistency: gocql.LocalQuorum, what: "read the heartbeats",
	}, 1000, func(scan func(...any) error) error {
		var row serverRow
		if err := scan(row.columns()...); err != nil {
			return err
		}
		return found(row)
	})
}
