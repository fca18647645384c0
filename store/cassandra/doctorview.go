package cassandra

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// contact is what became of one of the configured contact points.
type contact struct {
	host       string // as configured
	datacenter string // of the node behind it
	err        error  // why it cannot be used
}

// node is a node as it was seen.
type node struct {
	address                   string // host:port for clients
	internal                  string // address among the nodes
	datacenter, rack, version string

	// err says why it could not be asked; the rest is empty then.
	err error
	// alive says whether other nodes hear of one that could not be asked; nil: not known.
	alive *bool
	// ahead is how far its clock is ahead of ours, give or take uncertain.
	ahead, uncertain time.Duration
	// settings are some of its cassandra.yaml. Names differ between versions.
	settings    map[string]string
	settingsErr error
}

// tryContacts opens a session to each contact point and keeps one of them; nil if none can be
// used.
func tryContacts(ctx context.Context, cfg Config) (*gocql.Session, []contact) {
	contacts := make([]contact, len(cfg.Hosts))
	sessions := make([]*gocql.Session, len(cfg.Hosts))
	inParallel(len(cfg.Hosts), func(i int) {
		c := &contacts[i]
		c.host = cfg.Hosts[i]
		one := cfg
		one.Hosts = []string{c.host}
		session, err := one.connectAny(ctx)
		if err == nil {
			err = session.Query(selectLocalDatacenter).Consistency(gocql.LocalOne).ScanContext(ctx, &c.datacenter)
			sessions[i] = session
		}
		c.err = err
	})
	var kept *gocql.Session
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

// inParallel calls do for 0 to n-1, a few at the same time.
func inParallel(n int, do func(i int)) {
	slots := make(chan struct{}, 16)
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

// readLocalNode reads what the node of a session tells about itself.
func readLocalNode(ctx context.Context, session *gocql.Session) (node, error) {
	var n node
	var rpc, broadcast net.IP
	var port int
	err := session.Query(selectRelease).Consistency(gocql.LocalOne).ScanContext(ctx, &n.version)
	if err != nil || n.tooOld() {
		return n, err
	}
	err = session.Query(selectLocalNode).Consistency(gocql.LocalOne).ScanContext(ctx, &rpc, &port, &broadcast, &n.datacenter, &n.rack)
	n.address, n.internal = clientAddress(rpc, broadcast, port), broadcast.String()
	return n, err
}

// readPeers reads what a node tells about the others.
func readPeers(ctx context.Context, session *gocql.Session) ([]node, error) {
	var nodes []node
	rows := unobserved(session, selectPeers).IterContext(ctx)
	var native, peer net.IP
	var port int
	var n node
	for rows.Scan(&native, &port, &peer, &n.datacenter, &n.rack, &n.version) {
		if n.datacenter == "" {
			continue // half of a row, as it is left while a node goes
		}
		n.address, n.internal = clientAddress(native, peer, port), peer.String()
		nodes = append(nodes, n)
	}
	return nodes, rows.Close()
}

// readSchemaVersions reads which schema the other nodes have, as a node knows.
func readSchemaVersions(ctx context.Context, session *gocql.Session) (nodes []node, versions []gocql.UUID, err error) {
	rows := session.Query(selectSchemaVersions).Consistency(gocql.One).IterContext(ctx)
	var native, peer net.IP
	var port int
	var datacenter string
	var version gocql.UUID
	for rows.Scan(&native, &port, &peer, &datacenter, &version) {
		if datacenter == "" {
			continue // half of a row, as it is left while a node goes
		}
		nodes = append(nodes, node{address: clientAddress(native, peer, port), datacenter: datacenter})
		versions = append(versions, version)
	}
	return nodes, versions, rows.Close()
}

// clientAddress is where clients reach a node: at its address among the nodes if it listens on
// all it has.
func clientAddress(native, internal net.IP, port int) string {
	if native == nil || native.IsUnspecified() {
		native = internal
	}
	return net.JoinHostPort(native.String(), strconv.Itoa(port))
}

// probe asks every node for its clock and its settings.
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

// readClock compares the clock of a session's node with now: the node's is ahead by so much,
// give or take half of the time that asking took.
func readClock(ctx context.Context, session *gocql.Session, now func() time.Time) (ahead, uncertain time.Duration, err error) {
	const rounds = 3 // the shortest tells most
	for i := range rounds {
		asked, began := now(), time.Now()
		var millis int64
		if err := session.Query(selectClock).Consistency(gocql.LocalOne).ScanContext(ctx, &millis); err != nil {
			return 0, 0, err
		}
		half := time.Since(began) / 2
		if i == 0 || half < uncertain {
			ahead, uncertain = time.UnixMilli(millis).Sub(asked.Add(half)), half
		}
	}
	return ahead, uncertain, nil
}

// readSettings reads those settings of a session's node that are judged.
func readSettings(ctx context.Context, session *gocql.Session) (map[string]string, error) {
	settings := map[string]string{}
	rows := session.Query(selectSettings).Consistency(gocql.LocalOne).IterContext(ctx)
	var name, value string
	for rows.Scan(&name, &value) {
		settings[name] = value
	}
	return settings, rows.Close()
}

// readAlive finds out by their heartbeats whether the nodes that could not be asked are alive for
// the others. A living node beats once a second.
func readAlive(ctx context.Context, session *gocql.Session, nodes []node) {
	first, err := readHeartbeats(ctx, session)
	if err != nil {
		return // 4.0 does not have them
	}
	for range 6 {
		var open bool
		last, err := readHeartbeats(ctx, session)
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

// heartbeat counts, from anew with each generation.
type heartbeat struct{ generation, count int }

func readHeartbeats(ctx context.Context, session *gocql.Session) (map[string]heartbeat, error) {
	return scanHeartbeats(unobserved(session, selectHeartbeats).IterContext(ctx))
}

// scanHeartbeats reads the newest heartbeat of each node, by its address among the nodes.
func scanHeartbeats(rows *gocql.Iter) (map[string]heartbeat, error) {
	beats := map[string]heartbeat{}
	var address net.IP
	var beat heartbeat
	for rows.Scan(&address, &beat.generation, &beat.count) {
		beats[address.String()] = beat
	}
	return beats, rows.Close()
}
