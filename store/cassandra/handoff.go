package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

const (
	// askEvery is how often the nodes of the other datacenters are asked about hints.
	askEvery = 2 * time.Second
	// askTime is how long all of them have to answer.
	askTime = 30 * time.Second
	// hearLimit is how long a node may not have heard of another one that it takes for alive.
	hearLimit = 10 * time.Second
	// dispatchEvery is how often a node looks for hints that it can deliver. It shows hints only
	// when it has looked once.
	dispatchEvery = 10 * time.Second
)

// handoff is what nodes tell about their hints for the local nodes.
type handoff struct {
	// pending: one of them has some, or delivers some to anybody, or has not heard of a local
	// node lately, so that it does not show what it has.
	pending bool
	// window is the shortest time for which hints are kept; zero: there are none.
	window time.Duration
	// hidden is the longest time for which a hint may be there before it is shown.
	hidden time.Duration
}

// and is what two nodes tell together.
func (h handoff) and(other handoff) handoff {
	return handoff{h.pending || other.pending, min(h.window, other.window), max(h.hidden, other.hidden)}
}

// told is what all nodes of the other datacenters tell, or why one of them cannot be asked.
type told struct {
	handoff
	asked time.Time // when the asking began
	err   error
}

// asker asks the nodes of all other datacenters, one time after the other, beside the goroutine
// that watches, which calls its methods.
type asker struct {
	asked  time.Time
	answer chan told // nil: nobody is being asked
	cancel context.CancelFunc

	// Used by the one that asks.
	routes map[string]*route // by datacenter
	heard  hearing
}

// next returns the next answer, if it is there, and has the nodes asked again some time later.
func (k *asker) next(ctx context.Context, s *engine, now time.Time) (a told, ok bool) {
	select {
	case a = <-k.answer:
		k.cancel()
		k.answer = nil
		return a, true
	default:
	}
	if k.answer != nil || now.Sub(k.asked) < askEvery {
		return told{}, false
	}
	answered, local := make(chan told, 1), s.failover.local
	ctx, k.cancel = context.WithTimeout(ctx, askTime)
	k.asked, k.answer = now, answered
	go func() {
		h, err := k.ask(ctx, s, local)
		answered <- told{h, now, err}
	}()
	return told{}, false
}

// close ends what is under way. The next call of next begins anew.
func (k *asker) close() {
	if k.answer != nil {
		k.cancel()
		<-k.answer
	}
	for _, r := range k.routes {
		endSession(r.session)
	}
	*k = asker{}
}

// ask asks every node of every other datacenter that has replicas. Writes that local nodes missed
// may have been taken by any of them, whichever this server went through.
func (k *asker) ask(ctx context.Context, s *engine, local *route) (handoff, error) {
	datacenters, err := otherDatacenters(ctx, local, s.cfg)
	if err != nil {
		return handoff{}, err
	}
	nodes := internalAddresses(local.nodes())
	all := handoff{window: unknownLength}
	for _, datacenter := range datacenters {
		r := k.routes[datacenter]
		if r == nil {
			if r, err = s.open(ctx, datacenter); err != nil {
				return handoff{}, fmt.Errorf("datacenter %q: %w", datacenter, err)
			}
			if k.routes == nil {
				k.routes = map[string]*route{}
			}
			k.routes[datacenter] = r
		}
		h, err := k.askDatacenter(ctx, r, s.cfg.Datacenter, nodes)
		if err != nil {
			return handoff{}, fmt.Errorf("datacenter %q: %w", datacenter, err)
		}
		all = all.and(h)
	}
	return all, nil
}

// askDatacenter asks every node of one, a few at a time.
func (k *asker) askDatacenter(ctx context.Context, r *route, local string, nodes []string) (handoff, error) {
	hosts := r.nodes()
	var mu sync.Mutex
	var failed error
	all := handoff{window: unknownLength}
	inParallel(len(hosts), func(i int) {
		h, beats, err := askNode(ctx, r.session, hosts[i], local)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("node %s: %w", hosts[i].ConnectAddress(), err))
			return
		}
		if !k.heard.all(hosts[i].HostID(), beats, nodes, time.Now()) {
			h.pending = true
		}
		all = all.and(h)
	})
	return all, failed
}

// askNode asks one node. Hints are looked at before those who deliver them: what is being
// delivered is not shown among the hints.
func askNode(ctx context.Context, session *gocql.Session, host *gocql.HostInfo, local string) (h handoff, beats map[string]heartbeat, err error) {
	query := func(cql string) *gocql.Iter {
		return session.Query(cql).Consistency(gocql.One).Idempotent(true).RetryPolicy(nil).SetHostID(host.HostID()).IterContext(ctx)
	}
	a := answers{settings: map[string]string{}}
	rows := query(selectHints)
	var datacenter string
	for rows.Scan(&datacenter) {
		a.hints = append(a.hints, datacenter)
	}
	if err := rows.Close(); err != nil {
		return h, nil, err
	}
	rows = query(selectDispatchers)
	var active, waiting int
	for rows.Scan(&active, &waiting) {
		a.active, a.waiting = a.active+active, a.waiting+waiting
	}
	if err := rows.Close(); err != nil {
		return h, nil, err
	}
	rows = query(selectHintSettings)
	var name, value string
	for rows.Scan(&name, &value) {
		a.settings[name] = value
	}
	if err := rows.Close(); err != nil {
		return h, nil, err
	}
	beats, err = scanHeartbeats(query(selectHeartbeats))
	return a.handoff(local), beats, err
}

// answers are what a node says about hints.
type answers struct {
	hints           []string // for each node that it has some for: the datacenter of that
	active, waiting int      // deliveries under way, and those that will be, to any node
	settings        map[string]string
}

// handoff is what that means for the nodes of a datacenter.
func (a answers) handoff(datacenter string) handoff {
	n := node{settings: a.settings}
	return handoff{
		pending: slices.Contains(a.hints, datacenter) || a.active > 0 || a.waiting > 0,
		window:  n.hintWindow(datacenter), hidden: n.hintsHidden(),
	}
}

// otherDatacenters lists those that have replicas beside the local one.
func otherDatacenters(ctx context.Context, local *route, cfg Config) ([]string, error) {
	var replication map[string]string
	if err := local.session.Query(selectReplication, cfg.Keyspace).Consistency(gocql.One).Idempotent(true).ScanContext(ctx, &replication); err != nil {
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

// internalAddresses is where nodes reach each other.
func internalAddresses(hosts []*gocql.HostInfo) []string {
	list := make([]string, 0, len(hosts))
	for _, h := range hosts {
		address := h.Peer()
		if address == nil || address.IsUnspecified() {
			address = h.BroadcastAddress()
		}
		list = append(list, address.String())
	}
	return list
}

// hearing is when nodes have heard of others, by both.
type hearing map[[2]string]heard

type heard struct {
	beat heartbeat
	at   time.Time // when beat was new; zero: it was the first
}

// all notes which heartbeats a node has heard, and reports whether it has heard of all of some
// nodes lately.
func (h *hearing) all(listener string, beats map[string]heartbeat, nodes []string, now time.Time) bool {
	if *h == nil {
		*h = hearing{}
	}
	all := true
	for _, n := range nodes {
		key := [2]string{listener, n}
		last, known := (*h)[key]
		if beat, ok := beats[n]; ok && (!known || beat != last.beat) {
			next := heard{beat: beat}
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

// hintWindow is for how long a node keeps hints for nodes of a datacenter; zero: for some it keeps
// none, or it does not tell.
func (n node) hintWindow(datacenter string) time.Duration {
	if n.setting("hinted_handoff_enabled") != "true" || n.hintsLimited() || slices.Contains(n.hintsDisabled(), datacenter) {
		return 0
	}
	return n.period("max_hint_window")
}

// hintsDisabled lists the datacenters that a node keeps no hints for. The setting looks like
// "[dc1, dc2]".
func (n node) hintsDisabled() []string {
	return strings.FieldsFunc(n.setting("hinted_handoff_disabled_datacenters"), func(r rune) bool { return strings.ContainsRune("[]{}, ", r) })
}

// hintsLimited reports whether a node throws hints away when it has many.
func (n node) hintsLimited() bool {
	limit := n.setting("max_hints_size_per_host")
	return strings.Trim(limit, "0BKMGi") != ""
}

// hintsHidden is for how long a hint may be there before a node shows it.
func (n node) hintsHidden() time.Duration {
	return n.period("hints_flush_period") + 2*dispatchEvery + 5*time.Second
}

// hostPort is a contact point; a port of zero is left away.
func hostPort(address string, port int) string {
	if port == 0 {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}
