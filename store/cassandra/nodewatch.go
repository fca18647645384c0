package cassandra

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/store/cassandra/driver"
)

// Intervals of nodeWatch.
const (
	// nodeGather is the wait for further changes, so that the loss of a datacenter makes one line.
	nodeGather = time.Second
	// nodeSettle is the shortest time between two logged states of a node.
	nodeSettle = 10 * time.Second
	// nodeLook is the interval between looks at all nodes without a reported change.
	nodeLook = 10 * time.Second
)

// nodeWatch tracks which nodes answer: the nodes of its sessions by the driver's reports, the nodes of
// other datacenters by their gossip. It logs one line when nodes stop answering, one line every
// Config.DownReminder while they stay away, and one line when they are back. It sets the metric
// popelago_cassandra_nodes. Safe for concurrent use.
type nodeWatch struct {
	logger   *slog.Logger
	reminder time.Duration
	counts   *prometheus.GaugeVec
	changed  chan struct{} // has room for one

	mu       sync.Mutex
	nodes    map[string]*watchedNode // by IP address
	reminded map[string]time.Time    // by datacenter: when a line about missing nodes was logged last
	sessions []watchedSession

	driverLines seldom // of the driver's warnings

	cancel context.CancelFunc
	ended  chan struct{}
	gossip gossip // used by the loop
}

// watchedSession is a session to the nodes of one datacenter.
type watchedSession struct {
	driver.Session
	datacenter string
}

// watchedNode holds the state of a node, and the state that was logged last.
type watchedNode struct {
	datacenter string
	up         bool
	since      time.Time // of up
	cause      string    // why the node cannot be reached
	logged     bool      // up, as logged last
	loggedAt   time.Time // zero: nothing was logged
}

func newNodeWatch(cfg Config, counts *prometheus.GaugeVec) *nodeWatch {
	return &nodeWatch{
		logger: cfg.Logger, reminder: cfg.DownReminder, counts: counts, gossip: gossip{every: max(cfg.Heartbeat, gossipLeast)},
		driverLines: seldom{every: driverQuiet}, changed: make(chan struct{}, 1), nodes: map[string]*watchedNode{}, reminded: map[string]time.Time{},
	}
}

// start begins the loop. session returns the session to ask for gossip about other datacenters; nil
// with one datacenter.
func (w *nodeWatch) start(session func() driver.Session) {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.ended = cancel, make(chan struct{})
	go func() {
		defer close(w.ended)
		again := time.NewTicker(nodeLook)
		defer again.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.changed:
				select {
				case <-ctx.Done():
					return
				case <-time.After(nodeGather):
				}
			case <-again.C:
			}
			w.lookAtSessions(time.Now())
			if session != nil {
				w.lookAtGossip(ctx, session(), time.Now())
			}
			w.report(time.Now())
		}
	}()
}

// stop ends the loop, if it was started.
func (w *nodeWatch) stop() {
	if w.cancel != nil {
		w.cancel()
		<-w.ended
	}
}

// join watches the nodes of a session to a datacenter until the session is closed.
func (w *nodeWatch) join(session driver.Session, datacenter string) {
	w.mu.Lock()
	w.sessions = append(w.sessions, watchedSession{session, datacenter})
	w.mu.Unlock()
	w.lookAtSessions(time.Now())
	w.notify()
}

// lookAtSessions reads the state of all nodes from the driver.
func (w *nodeWatch) lookAtSessions(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = slices.DeleteFunc(w.sessions, func(s watchedSession) bool { return s.Closed() })
	for _, s := range w.sessions {
		for _, n := range nodesOf(s.Session, s.datacenter) {
			w.setLocked(n.Address, s.datacenter, n.Up, "", now)
		}
	}
}

// OnHostUp implements gocql.HostStatusChangeListener.
func (w *nodeWatch) OnHostUp(e gocql.HostUpEvent) { w.hostIs(e.Host, true) }

// OnHostDown implements gocql.HostStatusChangeListener.
func (w *nodeWatch) OnHostDown(e gocql.HostDownEvent) { w.hostIs(e.Host, false) }

// OnNewHost implements gocql.TopologyChangeListener.
func (w *nodeWatch) OnNewHost(gocql.NewHostEvent) { w.notify() }

// OnRemovedHost implements gocql.TopologyChangeListener.
func (w *nodeWatch) OnRemovedHost(e gocql.RemovedHostEvent) {
	w.forget(e.Host.ConnectAddress().String())
	w.notify()
}

// forget drops a node that has left the cluster.
func (w *nodeWatch) forget(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.nodes, address)
}

func (w *nodeWatch) hostIs(host *gocql.HostInfo, up bool) {
	w.mu.Lock()
	changed := w.setLocked(host.ConnectAddress().String(), host.DataCenter(), up, "", time.Now())
	w.mu.Unlock()
	if changed {
		w.notify()
	}
}

// noteCause records why a node cannot be reached.
func (w *nodeWatch) noteCause(address, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[address]; n != nil {
		n.cause = cause
	}
}

// set records the state of a node, with the cause if the node is down.
func (w *nodeWatch) set(address, datacenter string, up bool, cause string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setLocked(address, datacenter, up, cause, now)
}

func (w *nodeWatch) setLocked(address, datacenter string, up bool, cause string, now time.Time) (changed bool) {
	n := w.nodes[address]
	if n == nil {
		n = &watchedNode{up: true, logged: true, since: now}
		w.nodes[address] = n
	}
	n.datacenter = datacenter
	if cause != "" {
		n.cause = cause
	}
	if n.up == up {
		return false
	}
	n.up, n.since = up, now
	return true
}

// notify requests a report soon.
func (w *nodeWatch) notify() {
	select {
	case w.changed <- struct{}{}:
	default: // a report is due anyway
	}
}

// watches reports whether a session covers a datacenter.
func (w *nodeWatch) watches(datacenter string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.sessions, func(s watchedSession) bool { return s.datacenter == datacenter })
}

// report logs lasting changes and sets the metric.
func (w *nodeWatch) report(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	byDatacenter := map[string][]string{}
	for address, n := range w.nodes {
		byDatacenter[n.datacenter] = append(byDatacenter[n.datacenter], address)
	}
	w.counts.Reset()
	for _, datacenter := range sortedKeys(byDatacenter) {
		addresses := byDatacenter[datacenter]
		slices.Sort(addresses)
		w.reportDatacenterLocked(datacenter, addresses, now)
	}
}

// reportDatacenterLocked is report for the nodes of one datacenter.
func (w *nodeWatch) reportDatacenterLocked(datacenter string, addresses []string, now time.Time) {
	var gone, back, down []string
	var longest, away time.Duration
	for _, address := range addresses {
		n := w.nodes[address]
		if !n.up {
			down = append(down, address)
			longest = max(longest, now.Sub(n.since))
		}
		if n.up == n.logged || !n.loggedAt.IsZero() && now.Sub(n.loggedAt) < nodeSettle {
			continue
		}
		if n.up {
			back = append(back, address)
			away = max(away, n.since.Sub(n.loggedAt))
		} else {
			gone = append(gone, address)
		}
		n.logged, n.loggedAt = n.up, now
	}
	up := len(addresses) - len(down)
	w.counts.WithLabelValues(datacenter, "up").Set(float64(up))
	w.counts.WithLabelValues(datacenter, "down").Set(float64(len(down)))
	log := func(level slog.Level, text string, nodes []string, attrs ...any) {
		all := append([]any{"datacenter", datacenter, "nodes", firstOf(nodes), "up", up, "down", len(down)}, attrs...)
		w.logger.Log(context.Background(), level, text, all...)
	}
	if len(back) > 0 {
		log(slog.LevelInfo, "Cassandra nodes are back", back, "away", away.Round(time.Second).String())
	}
	switch {
	case len(gone) > 0:
		text := "Cassandra nodes do not answer"
		if up == 0 {
			text = "no Cassandra node of a datacenter answers: all of them are down, or the line to it is"
		}
		log(slog.LevelWarn, text, gone, "cause", w.nodes[gone[0]].cause)
		w.reminded[datacenter] = now
	case len(down) == 0:
		delete(w.reminded, datacenter)
	case now.Sub(w.reminded[datacenter]) >= w.reminder && longest >= w.reminder:
		log(slog.LevelWarn, "Cassandra nodes still do not answer", down, "for", longest.Round(time.Second).String(), "cause", w.nodes[down[0]].cause)
		w.reminded[datacenter] = now
	}
}
