package cassandra

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
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
// Config.DownReminder while they stay away, and one line when they are back or have left the cluster. A node
// is known by its host id, so it may come back under another address. nodeWatch sets the metric
// popelago_cassandra_nodes. Safe for concurrent use.
type nodeWatch struct {
	logger   *slog.Logger
	reminder time.Duration
	counts   *prometheus.GaugeVec // shows counted
	changed  chan struct{}        // has room for one

	mu       sync.Mutex
	nodes    map[string]*watchedNode // by host id
	reminded map[string]time.Time    // by datacenter: when a line about missing nodes was logged last
	counted  map[string]nodeCount    // by datacenter
	sessions []watchedSession
	left     []*watchedNode // nodes that were logged as down, and left the cluster since the last report

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

// nodeCount counts the nodes of a datacenter.
type nodeCount struct{ up, down int }

// watchedNode holds the state of a node, and the state that was logged last.
type watchedNode struct {
	address    string // IP address
	before     string // address at the last logged state, if another
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
		counted: map[string]nodeCount{},
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

// lookAtSessions reads the state of all nodes from the driver, and drops the nodes that the driver has dropped.
func (w *nodeWatch) lookAtSessions(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = slices.DeleteFunc(w.sessions, func(s watchedSession) bool { return s.Closed() })
	listed := map[string][]driver.Node{}
	for _, s := range w.sessions {
		listed[s.datacenter] = append(listed[s.datacenter], nodesOf(s.Session, s.datacenter)...)
	}
	for datacenter, nodes := range listed {
		if len(nodes) > 0 { // an empty list is no answer
			w.keepLocked(datacenter, nodes)
		}
		for _, n := range nodes {
			w.setLocked(n.ID, n.Address, datacenter, n.Up, "", now)
		}
	}
}

// keepLocked drops the nodes of a datacenter that are not in a list. A new node takes over the state of a node
// that the new node replaced at its address.
func (w *nodeWatch) keepLocked(datacenter string, nodes []driver.Node) {
	for id, old := range w.nodes {
		if old.datacenter != datacenter || slices.ContainsFunc(nodes, func(n driver.Node) bool { return n.ID == id }) {
			continue
		}
		delete(w.nodes, id)
		heir := slices.IndexFunc(nodes, func(n driver.Node) bool { return n.Address == old.address })
		if heir >= 0 {
			w.nodes[nodes[heir].ID] = old
		} else if !old.logged {
			w.left = append(w.left, old)
		}
	}
}

// OnHostUp implements gocql.HostStatusChangeListener.
func (w *nodeWatch) OnHostUp(e gocql.HostUpEvent) { w.hostIs(e.Host, true) }

// OnHostDown implements gocql.HostStatusChangeListener.
func (w *nodeWatch) OnHostDown(e gocql.HostDownEvent) { w.hostIs(e.Host, false) }

// OnNewHost implements gocql.TopologyChangeListener.
func (w *nodeWatch) OnNewHost(gocql.NewHostEvent) { w.notify() }

// OnRemovedHost implements gocql.TopologyChangeListener. The driver reports a node under another address as
// removed and new: the next look at the sessions finds out.
func (w *nodeWatch) OnRemovedHost(gocql.RemovedHostEvent) { w.notify() }

// hostIs records the state of a known node. A look at the sessions finds the new nodes.
func (w *nodeWatch) hostIs(host *gocql.HostInfo, up bool) {
	w.mu.Lock()
	n := w.nodes[host.HostID()]
	changed := n == nil || w.setLocked(host.HostID(), n.address, n.datacenter, up, "", time.Now())
	w.mu.Unlock()
	if changed {
		w.notify()
	}
}

// noteCause records why a node cannot be reached.
func (w *nodeWatch) noteCause(address, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.nodes {
		if n.address == address {
			n.cause = cause
		}
	}
}

// setLocked records the address and the state of a node, with the cause if the node is down.
func (w *nodeWatch) setLocked(id, address, datacenter string, up bool, cause string, now time.Time) (changed bool) {
	n := w.nodes[id]
	if n == nil {
		n = &watchedNode{address: address, up: true, logged: true, since: now}
		w.nodes[id] = n
	}
	if n.address != address {
		n.address, n.before = address, cmp.Or(n.before, n.address)
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
	return w.watchesLocked(datacenter)
}

func (w *nodeWatch) watchesLocked(datacenter string) bool {
	return slices.ContainsFunc(w.sessions, func(s watchedSession) bool { return s.datacenter == datacenter })
}

// report logs lasting changes and sets the metric.
func (w *nodeWatch) report(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	byDatacenter := map[string][]*watchedNode{}
	for _, n := range w.nodes {
		byDatacenter[n.datacenter] = append(byDatacenter[n.datacenter], n)
	}
	for datacenter := range w.counted {
		if byDatacenter[datacenter] == nil {
			delete(w.counted, datacenter)
			w.counts.DeletePartialMatch(prometheus.Labels{"datacenter": datacenter})
		}
	}
	for _, datacenter := range sortedKeys(byDatacenter) {
		nodes := byDatacenter[datacenter]
		slices.SortFunc(nodes, func(a, b *watchedNode) int { return cmp.Compare(a.address, b.address) })
		w.reportDatacenterLocked(datacenter, nodes, now)
	}
	for _, n := range w.left {
		w.logger.Info("a Cassandra node that did not answer has left the cluster", "datacenter", n.datacenter, "node", n.address)
	}
	w.left = nil
}

// reportDatacenterLocked is report for the nodes of one datacenter.
func (w *nodeWatch) reportDatacenterLocked(datacenter string, nodes []*watchedNode, now time.Time) {
	var gone, back, down []*watchedNode
	var longest, away time.Duration
	var moved []string
	for _, n := range nodes {
		if !n.up {
			down = append(down, n)
			longest = max(longest, now.Sub(n.since))
		}
		if n.up == n.logged || !n.loggedAt.IsZero() && now.Sub(n.loggedAt) < nodeSettle {
			continue
		}
		if n.up {
			back = append(back, n)
			away = max(away, n.since.Sub(n.loggedAt))
			if n.before != "" && n.before != n.address {
				moved = append(moved, n.before+" is now "+n.address)
			}
		} else {
			gone = append(gone, n)
		}
		n.logged, n.loggedAt, n.before = n.up, now, ""
	}
	up := len(nodes) - len(down)
	if count := (nodeCount{up, len(down)}); w.counted[datacenter] != count {
		w.counted[datacenter] = count
		w.counts.WithLabelValues(datacenter, "up").Set(float64(up))
		w.counts.WithLabelValues(datacenter, "down").Set(float64(len(down)))
	}
	log := func(level slog.Level, text string, nodes []*watchedNode, attrs ...any) {
		var addresses []string
		for _, n := range nodes {
			addresses = append(addresses, n.address)
		}
		all := append([]any{"datacenter", datacenter, "nodes", firstOf(addresses), "up", up, "down", len(down)}, attrs...)
		w.logger.Log(context.Background(), level, text, all...)
	}
	if len(back) > 0 {
		attrs := []any{"away", away.Round(time.Second).String()}
		if len(moved) > 0 {
			attrs = append(attrs, "moved", strings.Join(moved, ", "))
		}
		log(slog.LevelInfo, "Cassandra nodes are back", back, attrs...)
	}
	switch {
	case len(gone) > 0:
		text := "Cassandra nodes do not answer"
		if up == 0 {
			text = "no Cassandra node of a datacenter answers: all of them are down, or the line to it is"
		}
		log(slog.LevelWarn, text, gone, "cause", gone[0].cause)
		w.reminded[datacenter] = now
	case len(down) == 0:
		delete(w.reminded, datacenter)
	case now.Sub(w.reminded[datacenter]) >= w.reminder && longest >= w.reminder:
		log(slog.LevelWarn, "Cassandra nodes still do not answer", down, "for", longest.Round(time.Second).String(), "cause", down[0].cause)
		w.reminded[datacenter] = now
	}
}
