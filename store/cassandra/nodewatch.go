package cassandra

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// How nodeWatch paces itself.
const (
	// nodeGather is how long a change waits for others, so that a datacenter that goes is one line.
	nodeGather = time.Second
	// nodeSettle is how long a state that was logged stands before the next one of that node is.
	nodeSettle = 10 * time.Second
	// nodeLook is how often all nodes are looked at without a change being reported.
	nodeLook = 10 * time.Second
)

// nodeWatch knows which nodes answer: those of its sessions by what the driver says, those of other
// datacenters by their heartbeats among the nodes. It logs one line when nodes stop answering, one
// every Config.DownReminder while that lasts, and one when they are back; and it keeps the metric
// popelago_cassandra_nodes. Safe for concurrent use.
type nodeWatch struct {
	logger   *slog.Logger
	reminder time.Duration
	counts   *prometheus.GaugeVec
	changed  chan struct{} // has room for one

	mu       sync.Mutex
	nodes    map[string]*watchedNode // by IP address
	reminded map[string]time.Time    // by datacenter: the last line that says that nodes do not answer
	sessions []watchedSession

	driverLines seldom // of the driver's warnings

	cancel context.CancelFunc
	ended  chan struct{}
	gossip gossip // used by the goroutine that watches only
}

// watchedSession is a session to the nodes of one datacenter.
type watchedSession struct {
	*gocql.Session
	datacenter string
}

// watchedNode is a node as it was last seen, and as it was last logged.
type watchedNode struct {
	datacenter string
	up         bool
	since      time.Time // of up
	cause      string    // why it cannot be reached
	told       bool      // up, as the log says it
	toldAt     time.Time // zero: nothing was logged
}

func newNodeWatch(cfg Config, counts *prometheus.GaugeVec) *nodeWatch {
	return &nodeWatch{
		logger: cfg.Logger, reminder: cfg.DownReminder, counts: counts,
		driverLines: seldom{every: driverQuiet}, changed: make(chan struct{}, 1), nodes: map[string]*watchedNode{}, reminded: map[string]time.Time{},
	}
}

// start begins to watch; look is called before each report and may add what it knows.
func (w *nodeWatch) start(look func(ctx context.Context, now time.Time)) {
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
			look(ctx, time.Now())
			w.report(time.Now())
		}
	}()
}

// stop ends the watch, if it has begun.
func (w *nodeWatch) stop() {
	if w.cancel != nil {
		w.cancel()
		<-w.ended
	}
}

// join watches the nodes of a session to a datacenter until it is closed.
func (w *nodeWatch) join(session *gocql.Session, datacenter string) {
	w.mu.Lock()
	w.sessions = append(w.sessions, watchedSession{session, datacenter})
	w.mu.Unlock()
	w.lookAtSessions(time.Now())
	w.notify()
}

// lookAtSessions takes the state of all nodes from the driver.
func (w *nodeWatch) lookAtSessions(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sessions = slices.DeleteFunc(w.sessions, func(s watchedSession) bool { return s.Closed() })
	for _, s := range w.sessions {
		for _, host := range nodesOf(s.Session, s.datacenter) {
			w.setLocked(host.ConnectAddress().String(), s.datacenter, host.IsUp(), "", now)
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

// forget takes a node out that has left the cluster.
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

// noteCause takes why a node cannot be reached.
func (w *nodeWatch) noteCause(address, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.nodes[address]; n != nil {
		n.cause = cause
	}
}

// set takes the state of a node, and for one that is down why.
func (w *nodeWatch) set(address, datacenter string, up bool, cause string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setLocked(address, datacenter, up, cause, now)
}

func (w *nodeWatch) setLocked(address, datacenter string, up bool, cause string, now time.Time) (changed bool) {
	n := w.nodes[address]
	if n == nil {
		n = &watchedNode{up: true, told: true, since: now}
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

// notify makes the watch report soon.
func (w *nodeWatch) notify() {
	select {
	case w.changed <- struct{}{}:
	default: // it will anyway
	}
}

// watches reports whether a session covers a datacenter.
func (w *nodeWatch) watches(datacenter string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.sessions, func(s watchedSession) bool { return s.datacenter == datacenter })
}

// report logs what has changed and lasts, and counts.
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
		if n.up == n.told || !n.toldAt.IsZero() && now.Sub(n.toldAt) < nodeSettle {
			continue
		}
		if n.up {
			back = append(back, address)
			away = max(away, n.since.Sub(n.toldAt))
		} else {
			gone = append(gone, address)
		}
		n.told, n.toldAt = n.up, now
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

// firstOf names the first few of many.
func firstOf(names []string) string {
	const most = 6
	if len(names) > most {
		return strings.Join(names[:most], " ") + " " + count(len(names)-most, "more")
	}
	return strings.Join(names, " ")
}
