package delivery

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
)

// smallText is the size up to which a text needs no room, in octets: small mail passes even while
// large mail fills the disk.
const smallText = 256 << 10

// roomStep is the unit in which a text claims room, in octets.
const roomStep = 256 << 10

// room divides the free disk space among the incoming texts, so that endless texts leave space for
// other texts. Safe for concurrent use.
type room struct {
	free         func() (int64, error) // nil: unlimited
	share        int                   // percent of the free space for all texts
	networkShare int                   // percent of the free space for the texts of one network

	mu  sync.Mutex
	all int64 // octets claimed
	// byNetwork holds the octets claimed by mail.ClientNetwork and by mail.ClientRegion; of counted clients only.
	byNetwork map[netip.Prefix]int64

	refused *prometheus.CounterVec
}

func newRoom(cfg Config) *room {
	return &room{
		free: cfg.Free, share: cfg.MaxUnfinished, networkShare: cfg.MaxUnfinishedPerNetwork,
		byNetwork: map[netip.Prefix]int64{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_unfinished_refused_total",
			Help: "Messages refused because unfinished messages took too much space already, by the limit: all, network, region.",
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
		Help: "Octets of unfinished messages, without the first 256 KiB of each.",
	}, func() float64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return float64(r.all)
	}))
}

// claim is the room that one text has claimed. It belongs to one goroutine.
type claim struct {
	room    *room
	network netip.Prefix // zero: no limit by network
	region  netip.Prefix // zero: no limit by region
	octets  int64
}

// claim makes the claim of a text. Clients on this machine and LMTP clients are front servers, which
// bring the mail of many senders: no limit by network applies to them.
func (r *room) claim(e mail.Envelope) *claim {
	c := &claim{room: r}
	if e.SingleReply && !e.Received.Remote.IsLoopback() {
		c.network, c.region = mail.ClientNetwork(e.Received.Remote), mail.ClientRegion(e.Received.Remote)
	}
	return c
}

// cover claims room for a text that has reached size octets. Errors: ErrCrowded.
func (c *claim) cover(size int64) error {
	want := size - smallText - c.octets
	if want <= 0 || c.room.free == nil {
		return nil
	}
	want = (want + roomStep - 1) / roomStep * roomStep
	free, err := c.room.free()
	if err != nil {
		return nil // the store will report the fault
	}
	r := c.room
	r.mu.Lock()
	defer r.mu.Unlock()
	space := max(free, 0) + r.all // free does not include the space of unfinished texts
	switch {
	case r.all+want > space/100*int64(r.share):
		r.refused.WithLabelValues("all").Inc()
		return fmt.Errorf("%w: %d octets of all clients, %d octets are free", ErrCrowded, r.all, free)
	case c.network.IsValid() && r.byNetwork[c.network]+want > space/100*int64(r.networkShare):
		r.refused.WithLabelValues("network").Inc()
		return fmt.Errorf("%w: %d octets of the client's network, %d octets are free", ErrCrowded, r.byNetwork[c.network], free)
	case c.region.IsValid() && r.byNetwork[c.region]+want > space/100*int64(r.regionShare()):
		r.refused.WithLabelValues("region").Inc()
		return fmt.Errorf("%w: %d octets of the client's IPv6 region, %d octets are free", ErrCrowded, r.byNetwork[c.region], free)
	}
	c.add(want)
	return nil
}

// regionShare is the percent of the free space for the texts of one IPv6 region, which has 65,536 networks: midway between the
// share of a network and the share of all texts, so that the region leaves room for other clients.
func (r *room) regionShare() int { return (r.networkShare + r.share) / 2 }

// release returns the room.
func (c *claim) release() {
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	c.add(-c.octets)
}

// add changes the claim. The caller holds room.mu.
func (c *claim) add(octets int64) {
	c.octets += octets
	c.room.all += octets
	for _, n := range []netip.Prefix{c.network, c.region} {
		if !n.IsValid() {
			continue
		}
		if c.room.byNetwork[n] += octets; c.room.byNetwork[n] == 0 {
			delete(c.room.byNetwork, n)
		}
	}
}
