package cassandra

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

const (
	// askEvery is the interval between questions for hints to the nodes of the other datacenters.
	askEvery = 2 * time.Second
	// askTime is the time that all of the nodes have to answer. It is no multiple of askEvery: it never ends at the
	// moment of the next look.
	askTime = 29*time.Second + askEvery/4
	// hearLimit is the longest silence between two nodes that take each other for alive.
	hearLimit = 10 * time.Second
)

// handoff sums up the hints that nodes hold for the local nodes.
type handoff struct {
	// pending: a node holds hints, or delivers hints to any node, or has not heard a local node
	// lately and so does not show its hints.
	pending bool
	// window is the shortest time for which hints are kept; zero: no hints are kept.
	window time.Duration
	// hidden is the longest time before a hint is shown.
	hidden time.Duration
}

// and returns the handoff of two groups of nodes together.
func (h handoff) and(other handoff) handoff {
	return handoff{h.pending || other.pending, min(h.window, other.window), max(h.hidden, other.hidden)}
}

// handoffAnswer is the answer of all nodes of the other datacenters, or the reason why a node could
// not be asked.
type handoffAnswer struct {
	handoff
	started starts    // of the nodes that were asked
	asked   time.Time // when the question was asked
	err     error
}

// asker asks the nodes of all other datacenters for their hints, in goroutines of its own, one
// question at a time. One goroutine calls its methods.
type asker struct {
	cfg  Config
	open func(ctx context.Context, datacenter string) (*route, error)

	asked  time.Time
	answer chan handoffAnswer // nil: no question is being asked
	cancel context.CancelFunc

	// Used by the goroutine that asks.
	routes map[string]*route // by datacenter
	heard  hearing
}

// next returns the answer to the last question if the answer is there, and asks again every
// askEvery.
func (k *asker) next(ctx context.Context, local *route, now time.Time) (a handoffAnswer, ok bool) {
	select {
	case a = <-k.answer:
		k.cancel()
		k.answer = nil
		return a, true
	default:
	}
	if k.answer != nil || now.Sub(k.asked) < askEvery {
		return handoffAnswer{}, false
	}
	answered := make(chan handoffAnswer, 1)
	ctx, k.cancel = context.WithTimeout(ctx, askTime)
	k.asked, k.answer = now, answered
	go func() {
		h, started, err := k.ask(ctx, local)
		answered <- handoffAnswer{h, started, now, err}
	}()
	return handoffAnswer{}, false
}

// close ends the question in progress and closes the routes. next may be called again.
func (k *asker) close() {
	if k.answer != nil {
		k.cancel()
		<-k.answer
	}
	for _, r := range k.routes {
		r.close()
	}
	*k = asker{cfg: k.cfg, open: k.open}
}

// ask asks every node of every other datacenter that has replicas. Any of the nodes may have accepted
// writes that local nodes missed, whichever datacenter this server failed over to.
func (k *asker) ask(ctx context.Context, local *route) (handoff, starts, error) {
	datacenters, err := otherDatacenters(ctx, local, k.cfg)
	if err != nil {
		return handoff{}, nil, err
	}
	nodes := internalAddresses(local.nodes())
	all, started := handoff{window: unknownLength}, starts{}
	for _, datacenter := range datacenters {
		r := k.routes[datacenter]
		if r == nil {
			if r, err = k.open(ctx, datacenter); err != nil {
				return handoff{}, nil, fmt.Errorf("datacenter %q: %w", datacenter, err)
			}
			if k.routes == nil {
				k.routes = map[string]*route{}
			}
			k.routes[datacenter] = r
		}
		h, err := k.askDatacenter(ctx, r, nodes, started)
		if err != nil {
			return handoff{}, nil, fmt.Errorf("datacenter %q: %w", datacenter, err)
		}
		all = all.and(h)
	}
	return all, started, nil
}

// askDatacenter asks every node of a datacenter, several at a time, and adds their generations to started.
func (k *asker) askDatacenter(ctx context.Context, r *route, localNodes []string, started starts) (handoff, error) {
	hosts := r.nodes()
	if len(hosts) == 0 { // no answer: its nodes may hold hints
		return handoff{}, errors.New("no node is known")
	}
	var mu sync.Mutex
	var failed error
	all := handoff{window: unknownLength}
	inParallel(len(hosts), func(i int) {
		h, beats, err := askNode(ctx, r.session, hosts[i].ID, k.cfg.Datacenter)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("node %s: %w", hosts[i].Address, err))
			return
		}
		started[nodeName{r.datacenter, hosts[i].Internal}] = beats[hosts[i].Internal].generation
		if !k.heard.all(hosts[i].ID, beats, localNodes, time.Now()) {
			h.pending = true
		}
		all = all.and(h)
	})
	return all, failed
}

// askNode asks a node for its hints. It reads the hints before the deliveries: a hint in delivery is
// not listed among the hints.
func askNode(ctx context.Context, session driver.Session, id, local string) (h handoff, beats map[string]nodeBeat, err error) {
	ask := func(cql string) driver.Statement {
		return driver.Statement{CQL: cql, Consistency: gocql.One, Node: id}
	}
	n := nodeHints{settings: map[string]string{}}
	var datacenter string
	if err := driver.Each(ctx, session, ask(selectHints), func() { n.hints = append(n.hints, datacenter) }, &datacenter); err != nil {
		return h, nil, err
	}
	var active, waiting int
	add := func() { n.active, n.waiting = n.active+active, n.waiting+waiting }
	if err := driver.Each(ctx, session, ask(selectDispatchers), add, &active, &waiting); err != nil {
		return h, nil, err
	}
	if err := readPairs(ctx, session, ask(selectHintSettings), n.settings); err != nil {
		return h, nil, err
	}
	beats, err = scanNodeBeats(ctx, session, ask(selectHeartbeats))
	return n.handoff(local), beats, err
}

// nodeHints holds the answers of a node about hints.
type nodeHints struct {
	hints           []string // the datacenter of each node that hints are held for
	active, waiting int      // deliveries in progress and due, to any node
	settings        map[string]string
}

// handoff derives the handoff for the nodes of a datacenter.
func (n nodeHints) handoff(datacenter string) handoff {
	s := node{settings: n.settings}
	return handoff{
		pending: slices.Contains(n.hints, datacenter) || n.active > 0 || n.waiting > 0,
		window:  s.hintWindow(datacenter), hidden: s.hintsHidden(),
	}
}

// otherDatacenters lists the datacenters with replicas, without the local one.
func otherDatacenters(ctx context.Context, local *route, cfg Config) ([]string, error) {
	var replication map[string]string
	if err := driver.ScanOne(ctx, local.session, driver.Statement{CQL: selectReplication, Values: []any{cfg.Keyspace}, Consistency: gocql.One}, &replication); err != nil {
		return nil, fmt.Errorf("which datacenters have replicas: %w", err)
	}
	var list []string
	for _, datacenter := range sortedKeys(replication) {
		if n, err := strconv.Atoi(replication[datacenter]); err == nil && n > 0 && datacenter != cfg.Datacenter {
			list = append(list, datacenter)
		}
	}
	return list, nil
}

// internalAddresses lists the addresses at which nodes reach each other.
func internalAddresses(nodes []driver.Node) []string {
	list := make([]string, 0, len(nodes))
	for _, n := range nodes {
		list = append(list, n.Internal)
	}
	return list
}

// hearing records the last heartbeat by listener and speaker.
type hearing map[[2]string]heardBeat

type heardBeat struct {
	beat nodeBeat
	at   time.Time // when beat was new; zero: beat was the first
}

// all records the heartbeats that a node has heard, and reports whether it has heard all of some nodes
// within hearLimit.
func (h *hearing) all(listener string, beats map[string]nodeBeat, nodes []string, now time.Time) bool {
	if *h == nil {
		*h = hearing{}
	}
	all := true
	for _, n := range nodes {
		key := [2]string{listener, n}
		last, known := (*h)[key]
		if beat, ok := beats[n]; ok && (!known || beat != last.beat) {
			next := heardBeat{beat: beat}
			if known {
				next.at = now
			}
			last = next
			(*h)[key] = next
		}
		all = all && !last.at.IsZero() && now.Sub(last.at) < hearLimit
	}
	return all
}
