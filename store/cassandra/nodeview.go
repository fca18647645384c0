package cassandra

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// contact holds the result of trying a contact point.
type contact struct {
	host       string // as configured
	datacenter string // of the node
	err        error  // why the node cannot be used
}

// node holds the findings about a node.
type node struct {
	id                        gocql.UUID // host id; zero for the node that was asked
	address                   string     // host:port for clients
	internal                  string     // address among the nodes
	datacenter, rack, version string

	// err is why the node could not be asked; the fields below are then empty.
	err error
	// alive is set if other nodes hear a node that could not be asked; nil: unknown.
	alive *bool
	// ahead is the lead of its clock over the clock of this machine, plus or minus uncertain.
	ahead, uncertain time.Duration
	// settings holds settings of its cassandra.yaml. Names differ between versions.
	settings    map[string]string
	settingsErr error
}

// atNode returns a statement about the node of a session that connectAny opened.
func atNode(cql string, values ...any) driver.Statement {
	return driver.Statement{CQL: cql, Values: values, Consistency: gocql.LocalOne}
}

// readPairs reads rows of a name and a value into a map.
func readPairs(ctx context.Context, session driver.Session, st driver.Statement, into map[string]string) error {
	var name, value string
	return driver.Each(ctx, session, st, func() { into[name] = value }, &name, &value)
}

// tryContacts opens a session to each contact point and keeps one session; nil if no contact point can be
// used.
func tryContacts(ctx context.Context, cfg Config) (driver.Session, []contact) {
	contacts := make([]contact, len(cfg.Hosts))
	sessions := make([]driver.Session, len(cfg.Hosts))
	inParallel(len(cfg.Hosts), func(i int) {
		c := &contacts[i]
		c.host = cfg.Hosts[i]
		one := cfg
		one.Hosts = []string{c.host}
		session, err := one.connectAny(ctx)
		if err == nil {
			err = driver.ScanOne(ctx, session, atNode(selectLocalDatacenter), &c.datacenter)
			sessions[i] = session
		}
		c.err = err
	})
	var kept driver.Session
	for i, session := range sessions {
		switch {
		case session == nil:
		case kept == nil && contacts[i].err == nil:
			kept = session
		default:
			endSession(session)
		}
	}
	return kept, contacts
}

// inParallel calls do for 0 to n-1, up to 16 at the same time.
func inParallel(n int, do func(i int)) { atMost(16, n, do) }

// atMost calls do for 0 to n-1, up to so many at the same time.
func atMost(limit, n int, do func(i int)) {
	if n == 1 {
		do(0)
		return
	}
	slots := make(chan struct{}, limit)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	wg.Wait()
}

// readLocalNode reads the node of a session.
func readLocalNode(ctx context.Context, session driver.Session) (node, error) {
	var n node
	var rpc, broadcast net.IP
	var port int
	err := driver.ScanOne(ctx, session, atNode(selectRelease), &n.version)
	if err != nil || n.tooOld() {
		return n, err
	}
	err = driver.ScanOne(ctx, session, atNode(selectLocalNode), &rpc, &port, &broadcast, &n.datacenter, &n.rack)
	n.address, n.internal = clientAddress(rpc, broadcast, port), broadcast.String()
	return n, err
}

// readPeers reads the other nodes from the tables of a node.
func readPeers(ctx context.Context, session driver.Session) ([]node, error) {
	var nodes []node
	var native, peer net.IP
	var port int
	var n node
	err := driver.Each(ctx, session, unobserved(selectPeers), func() {
		if n.datacenter == "" {
			return // half a row, left while a node leaves the cluster
		}
		n.address, n.internal = clientAddress(native, peer, port), peer.String()
		nodes = append(nodes, n)
	}, &native, &port, &peer, &n.id, &n.datacenter, &n.rack, &n.version)
	return nodes, err
}

// readSchemaVersions reads the schema versions of the other nodes from the tables of a node.
func readSchemaVersions(ctx context.Context, session driver.Session) (nodes []node, versions []gocql.UUID, err error) {
	var native, peer net.IP
	var port int
	var datacenter string
	var version gocql.UUID
	err = driver.Each(ctx, session, atNode(selectSchemaVersions), func() {
		if datacenter == "" {
			return // half a row, left while a node leaves the cluster
		}
		nodes = append(nodes, node{address: clientAddress(native, peer, port), datacenter: datacenter})
		versions = append(versions, version)
	}, &native, &port, &peer, &datacenter, &version)
	return nodes, versions, err
}

// clientAddress returns the address for clients: the internal address if the node listens on all
// addresses.
func clientAddress(native, internal net.IP, port int) string {
	if native == nil || native.IsUnspecified() {
		native = internal
	}
	return net.JoinHostPort(native.String(), strconv.Itoa(port))
}

// probe asks every node for clock and settings.
func probe(ctx context.Context, cfg Config, nodes []node) {
	inParallel(len(nodes), func(i int) {
		n := &nodes[i]
		one := cfg
		one.Hosts = []string{n.address}
		session, err := one.connectAny(ctx)
		if err != nil {
			n.err = err
			return
		}
		defer endSession(session)
		ctx, cancel := context.WithTimeout(ctx, 2*cfg.Timeout)
		defer cancel()
		if n.ahead, n.uncertain, n.err = readClock(ctx, session, cfg.Now); n.err != nil {
			return
		}
		n.settings, n.settingsErr = readSettings(ctx, session)
	})
}

// readClock returns the lead of the clock of a node over now, plus or minus half of the round trip.
func readClock(ctx context.Context, session driver.Session, now func() time.Time) (ahead, uncertain time.Duration, err error) {
	const rounds = 3 // the shortest round trip is the most precise
	for i := range rounds {
		asked, began := now(), time.Now()
		var millis int64
		if err := driver.ScanOne(ctx, session, atNode(selectClock), &millis); err != nil {
			return 0, 0, err
		}
		half := time.Since(began) / 2
		if i == 0 || half < uncertain {
			ahead, uncertain = time.UnixMilli(millis).Sub(asked.Add(half)), half
		}
	}
	return ahead, uncertain, nil
}

// readAlive finds out by gossip whether nodes that could not be asked are alive. A living node beats once a
// second.
func readAlive(ctx context.Context, session driver.Session, nodes []node) {
	first, err := readNodeBeats(ctx, session)
	if err != nil {
		return // Cassandra 4.0 lacks the table
	}
	for range 6 {
		var open bool
		last, err := readNodeBeats(ctx, session)
		if err != nil {
			return
		}
		for i := range nodes {
			n := &nodes[i]
			if n.err == nil || n.alive != nil && *n.alive {
				continue
			}
			beats := last[n.internal] != first[n.internal]
			n.alive = &beats
			open = open || !beats
		}
		if !open {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

// nodeBeat is a heartbeat of a node: a count that restarts with each generation.
type nodeBeat struct{ generation, count int }

func readNodeBeats(ctx context.Context, session driver.Session) (map[string]nodeBeat, error) {
	return scanNodeBeats(ctx, session, unobserved(selectHeartbeats))
}

// scanNodeBeats reads the newest heartbeat of each node, by internal address.
func scanNodeBeats(ctx context.Context, session driver.Session, st driver.Statement) (map[string]nodeBeat, error) {
	beats := map[string]nodeBeat{}
	var address net.IP
	var beat nodeBeat
	err := driver.Each(ctx, session, st, func() { beats[address.String()] = beat }, &address, &beat.generation, &beat.count)
	return beats, err
}

// checkDatacenter returns ErrUnknownDatacenter, with the known datacenters, if the cluster has no
// datacenter of a name.
func checkDatacenter(ctx context.Context, session driver.Session, name string) error {
	known := map[string]bool{}
	for _, cql := range []string{selectLocalDatacenter, selectDatacenters} {
		var datacenter string
		if err := driver.Each(ctx, session, atNode(cql), func() { known[datacenter] = true }, &datacenter); err != nil {
			return fmt.Errorf("cassandra: look at the cluster: %w: %w", store.ErrUnavailable, err)
		}
	}
	if !known[name] {
		return fmt.Errorf("%w %q, but %q", ErrUnknownDatacenter, name, sortedKeys(known))
	}
	return nil
}

// release returns the major and minor version of a node, such as 401 for 4.1; zero if unknown.
func (n node) release() int {
	parts := strings.SplitN(n.version, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	minor, _, _ := strings.Cut(parts[1], "-") // 6.0-SNAPSHOT
	major, err1 := strconv.Atoi(parts[0])
	small, err2 := strconv.Atoi(minor)
	if err1 != nil || err2 != nil {
		return 0
	}
	return major*100 + small
}

// Releases that are known to work.
const (
	oldestRelease = 401
	newestRelease = 500
)

func (n node) tooOld() bool { return n.release() > 0 && n.release() < oldestRelease }

// isDown reports whether a node neither answers nor is alive for the other nodes. A node behind a firewall
// may be alive.
func (n node) isDown() bool { return n.err != nil && (n.alive == nil || !*n.alive) }
