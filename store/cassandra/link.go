package cassandra

import (
	"context"
	"sync/atomic"

	"popelago/store/cassandra/driver"
)

// link leads statements to the nodes of one datacenter: the local one, or after a failover another
// one. Safe for concurrent use.
type link struct {
	cfg     Config
	observe func(Statement)
	metrics *metrics
	peers   *peerNodes
	// switched, if not nil, is called after statements were led to another datacenter.
	switched func()

	current    atomic.Pointer[route]
	confirming atomic.Bool // reads ask for a quorum of each datacenter, see confirmation
}

func newLink(cfg Config, observe func(Statement), m *metrics, peers *peerNodes) *link {
	return &link{cfg: cfg, observe: observe, metrics: m, peers: peers}
}

// session returns the session that statements go through now.
func (l *link) session() driver.Session { return l.current.Load().session }

// look returns the session that statements go through now, and whether reads through it are confirmed. The two
// belong together: no read goes to the local nodes unconfirmed because a failover or a return came in between.
func (l *link) look() (s driver.Session, confirmed bool) {
	for {
		r := l.current.Load()
		confirmed = l.confirming.Load()
		if r == l.current.Load() {
			return r.session, confirmed
		}
	}
}

// origin returns the datacenter that acknowledges writes at LOCAL_QUORUM now.
func (l *link) origin() string { return l.current.Load().datacenter }

// openFactor times Config.ConnectTimeout bounds the opening of a route if there are several datacenters to go to: nodes
// that do not answer must not keep failover from the next datacenter.
const openFactor = 3

// open opens a route to a datacenter. The caller closes the session of the route.
func (l *link) open(ctx context.Context, datacenter string) (*route, error) {
	cfg := l.cfg
	if len(cfg.Failover) > 0 {
		limited, cancel := context.WithTimeout(ctx, openFactor*cfg.ConnectTimeout)
		defer cancel()
		ctx = limited
	}
	if datacenter != cfg.Datacenter {
		cfg.Datacenter, cfg.Rack = datacenter, ""
		cfg.Hosts = l.peers.of(datacenter, cfg.Hosts)
	}
	session, err := cfg.connect(ctx, l.observe)
	if err != nil {
		return nil, err
	}
	return &route{datacenter, session}, nil
}

// switchTo leads statements to another datacenter from now on.
func (l *link) switchTo(r *route, why string) {
	l.current.Store(r)
	if l.switched != nil {
		l.switched()
	}
	l.metrics.failover.Set(0)
	if r.datacenter != l.cfg.Datacenter {
		l.metrics.failover.Set(1)
		l.setConfirming(false) // no quorum of the local datacenter answers
	}
	l.cfg.Logger.Warn(why, "datacenter", r.datacenter)
}

// setConfirming sets whether reads at the level Local ask for a quorum of each datacenter.
func (l *link) setConfirming(confirming bool) {
	l.confirming.Store(confirming)
	l.metrics.confirming.Set(0)
	if confirming {
		l.metrics.confirming.Set(1)
	}
}
