package delivery

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// smallText is how much of each text needs no room, in octets: small mail passes however much is
// on its way.
const smallText = 256 << 10

// roomStep is how much room a text takes at a time, in octets.
const roomStep = 256 << 10

// room shares the free disk space among the texts that are coming in, so that texts that never
// end leave space for the others. Safe for concurrent use.
type room struct {
	free         func() (int64, error) // nil: there is no end of it
	share        int                   // percent of the free space for all texts
	networkShare int                   // percent for those of one network

	mu        sync.Mutex
	all       int64            // octets
	byNetwork map[string]int64 // octets, by network; only of networks that are counted

	refused *prometheus.CounterVec
}

func newRoom(cfg Config) *room {
	return &room{
		free: cfg.Free, share: cfg.MaxUnfinished, networkShare: cfg.MaxUnfinishedPerNetwork,
		byNetwork: map[string]int64{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_unfinished_refused_total",
			Help: "Messages refused since too much was on its way already, by the limit: all, network.",
		}, []string{"limit"}),
	}
}

// register registers the metrics of r.
func (r *room) register(reg prometheus.Registerer) error {
	if err := reg.Register(r.refused); err != nil {
		return err
	}
	return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_delivery_unfinished_octets",
		Help: "Octets of messages that are coming in, without the first 256 KiB of each.",
	}, func() float64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return float64(r.all)
	}))
}

// claim is the room of one text. It belongs to one goroutine.
type claim struct {
	room    *room
	network string // empty: only what all have together is bounded
	octets  int64
}

// claim makes the claim of a text of a client. The clients on this machine have a front server in
// common that answers for its senders, and so have those of LMTP.
func (r *room) claim(remote netip.Addr, singleReply bool) *claim {
	c := &claim{room: r}
	if singleReply && remote.IsValid() && !remote.IsLoopback() {
		c.network = string(network(remote))
	}
	return c
}

// cover takes room for a text that has size octets by now. Errors: ErrCrowded.
func (c *claim) cover(size int64) error {
	want := size - smallText - c.octets
	if want <= 0 || c.room.free == nil {
		return nil
	}
	want = (want + roomStep - 1) / roomStep * roomStep
	free, err := c.room.free()
	if err != nil {
		return nil // the store will say what is wrong
	}
	r := c.room
	r.mu.Lock()
	defer r.mu.Unlock()
	space := max(free, 0) + r.all // what is on its way has taken its part already
	switch {
	case r.all+want > space/100*int64(r.share):
		r.refused.WithLabelValues("all").Inc()
		return fmt.Errorf("%w: %d octets of all clients, %d octets are free", ErrCrowded, r.all, free)
	case c.network != "" && r.byNetwork[c.network]+want > space/100*int64(r.networkShare):
		r.refused.WithLabelValues("network").Inc()
		return fmt.Errorf("%w: %d octets of the client's network, %d octets are free", ErrCrowded, r.byNetwork[c.network], free)
	}
	c.add(want)
	return nil
}

// release gives the room back.
func (c *claim) release() {
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	c.add(-c.octets)
}

// add changes the claim; room.mu is held.
func (c *claim) add(octets int64) {
	c.octets += octets
	c.room.all += octets
	if c.network == "" {
		return
	}
	if c.room.byNetwork[c.network] += octets; c.room.byNetwork[c.network] == 0 {
		delete(c.room.byNetwork, c.network)
	}
}
