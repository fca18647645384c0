package cassandra

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// examineCluster checks datacenter and schema before a store is opened. localAway is set if no local
// node can be reached, and a node of another datacenter can. If an absence lasts, see failover, other
// datacenters tell about the schema while the local nodes lack a quorum. If only the partition of the versions lacks a
// quorum, the columns of the tables tell: every node has them, and no server could start otherwise.
func examineCluster(ctx context.Context, cfg Config, peers *peerNodes) (status SchemaStatus, localAway bool, err error) {
	cfg.nodes = nil // these sessions say nothing about nodes
	session, localAway, err := contactNode(ctx, cfg, peers)
	if err != nil {
		return SchemaStatus{}, false, err
	}
	defer endSession(session)
	if err := checkDatacenter(ctx, session, cfg.Datacenter); err != nil {
		return SchemaStatus{}, false, err
	}
	status, err = readStatus(ctx, session, cfg)
	if errors.Is(err, store.ErrUnavailable) && newAbsenceFile(cfg).load().lasts() {
		if elsewhere, ok := statusElsewhere(ctx, cfg, peers); ok {
			status, err = elsewhere, nil
		}
	}
	if errors.Is(err, store.ErrUnavailable) && status.Replication != nil && fitsByColumns(ctx, session, cfg.Keyspace) {
		cfg.Logger.Warn("the versions of the schema cannot be read: the server starts because the tables have the columns of its version", "cause", err)
		status.Applied, err = status.Known, nil
	}
	if err != nil {
		return status, false, err
	}
	return status, localAway, status.Check()
}

// statusElsewhere reads the state of the schema from known nodes of the other datacenters. ok is false if none answers.
func statusElsewhere(ctx context.Context, cfg Config, peers *peerNodes) (status SchemaStatus, ok bool) {
	for _, datacenter := range cfg.Failover {
		cfg.Hosts = peers.of(datacenter, nil)
		session, _ := tryContacts(ctx, cfg)
		if session == nil {
			continue
		}
		status, err := readStatus(ctx, session, cfg)
		endSession(session)
		if err == nil {
			return status, true
		}
	}
	return SchemaStatus{}, false
}

// fitsByColumns reports whether the tables have exactly the columns of this program, while most partitions can be read.
func fitsByColumns(ctx context.Context, session driver.Session, keyspace string) bool {
	if !(&route{session: session}).serves(ctx, keyspace) {
		return false
	}
	found := map[tableColumn]bool{}
	var c tableColumn
	err := driver.Each(ctx, session, atNode(selectColumns, keyspace), func() { found[c] = true }, &c.table, &c.column)
	return err == nil && maps.Equal(found, schemaColumns())
}

// contactNode opens a session to one node. With Config.Failover, and without a local contact point
// that answers, contactNode tries nodes known from before: local nodes first, then others.
func contactNode(ctx context.Context, cfg Config, peers *peerNodes) (session driver.Session, localAway bool, err error) {
	if len(cfg.Failover) == 0 {
		session, err = cfg.connectAny(ctx)
		return session, false, err
	}
	var failed contactErrors
	for _, hosts := range contactPoints(cfg, peers) {
		cfg.Hosts = hosts
		another, contacts := tryContacts(ctx, cfg)
		for _, c := range contacts {
			if c.err != nil {
				failed = append(failed, c.err)
			} else if c.datacenter == cfg.Datacenter {
				endSession(session)
				return another, false, nil
			}
		}
		if session == nil {
			session = another
		} else {
			endSession(another)
		}
	}
	if session == nil {
		return nil, false, fmt.Errorf("%w: %w", ErrNoContact, failed)
	}
	return session, true, nil
}

// mostContacts is the highest count of known nodes of a datacenter to try.
const mostContacts = 8

// contactPoints lists the groups of contact points to try, in order.
func contactPoints(cfg Config, peers *peerNodes) [][]string {
	list := [][]string{cfg.Hosts}
	for _, datacenter := range append([]string{cfg.Datacenter}, cfg.Failover...) {
		list = append(list, peers.of(datacenter, nil))
	}
	return list
}
