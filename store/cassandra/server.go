package cassandra

import (
	"context"
	"time"

	"popelago/store"
)

// Servers implements store.Upkeep, from the heartbeats in all datacenters.
func (e *engine) Servers(ctx context.Context) ([]store.Server, error) {
	h := e.heartbeat
	asked := time.Now()
	for _, datacenter := range h.datacenters {
		err := h.readDatacenter(ctx, datacenter, func(row serverRow) error {
			s, err := row.serverOf(datacenter)
			if err == nil && row.id != h.peers.own {
				if until, alive := h.pulse.read(row, asked); alive {
					h.roll.see(s, asked, until)
				}
			}
			return err
		})
		if err != nil {
			return h.servers(time.Time{}), err
		}
	}
	h.roll.leave(asked, time.Now())
	return h.servers(asked), nil
}

// servers returns the servers on the roll and this server. A server whose heartbeat was not read since
// a moment is lost.
func (h *heartbeat) servers(since time.Time) []store.Server {
	own := store.Server{
		Name: h.cfg.Server, Datacenter: h.cfg.Datacenter, Address: h.cfg.Address, Version: h.cfg.Version,
		Started: h.started, Admin: h.cfg.Admin, Own: true,
	}
	if h.clock.Clock() == nil {
		own.Clock = h.cfg.Now()
	}
	all := append(h.roll.list(since), own)
	sortServers(all)
	return all
}
