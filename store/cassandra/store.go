package cassandra

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/maypok86/otter/v2"

	"popelago/mail"
	"popelago/store"
)

var _ store.Engine = (*Store)(nil)

// Store is the Cassandra engine at one level. See the package comment.
type Store struct {
	*engine
	level level
}

// engine holds the state that all levels share.
type engine struct {
	cfg       Config
	route     atomic.Pointer[route] // where statements go now
	failover  failover
	known     known
	metrics   *metrics
	floors    *otter.Cache[mail.MailboxID, mail.MessageID]
	drained   drained
	places    *otter.Cache[mail.MailboxID, place]
	inDays    *inDays
	grown     *grown
	pageSizes *pageSizes
	sweeping  sweeping
	beating   beating
	watch     watch

	// datacenters are those with replicas, in order.
	datacenters []string

	limit *limiter // of statements under way

	// life is held for reading while a statement is executed.
	life    sync.RWMutex
	closed  bool
	leaving sync.Once
}

// Open connects to a cluster with the schema of the program and returns the engine at the local
// level, see Levels. The engine must be ended with Close. A clock that is not trusted is no error,
// see Store.Clock.
//
// Errors: those of SchemaStatus.Check and of Status; ErrNotAllowed.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	limit := newLimiter(cfg)
	metrics := newMetrics(limit)
	cfg.nodes = newNodeWatch(cfg, metrics.nodes)
	e := &engine{
		cfg:     cfg,
		metrics: metrics,
		limit:   limit,
		floors: otter.Must(&otter.Options[mail.MailboxID, mail.MessageID]{
			MaximumSize:      100_000,
			ExpiryCalculator: otter.ExpiryWriting[mail.MailboxID, mail.MessageID](10 * time.Minute),
		}),
	}
	e.places, e.inDays, e.grown, e.pageSizes = newPlaces(), newInDays(), newGrown(), newPageSizes()
	e.watch.turn = make(chan struct{}, 1)
	e.watch.high.Store(math.MinInt64)
	e.recallNodes()
	status, localAway, err := e.check(ctx)
	if err == nil {
		err = metrics.register(cfg.Registerer)
	}
	if err != nil {
		e.stopCaches()
		return nil, err
	}
	e.datacenters = sortedKeys(status.Replication)
	if err := e.start(ctx, localAway); err != nil {
		metrics.unregister(cfg.Registerer)
		e.stopCaches()
		return nil, err
	}
	if err := e.checkPermissions(ctx); err != nil {
		e.closeRoutes()
		metrics.unregister(cfg.Registerer)
		e.stopCaches()
		return nil, err
	}
	several := len(status.Replication) > 1
	e.cfg.nodes.start(func(ctx context.Context, now time.Time) {
		if several {
			e.lookAtGossip(ctx, now)
		}
	})
	e.startFailover(ctx)
	e.startBeating(ctx)
	return e.Levels().Local, nil
}

// check looks at the cluster before anything else is done with it. localAway says that no local
// node can be reached, but one of another datacenter can.
func (s *engine) check(ctx context.Context) (status SchemaStatus, localAway bool, err error) {
	session, localAway, err := s.contact(ctx)
	if err != nil {
		return SchemaStatus{}, false, err
	}
	defer endSession(session)
	if err := checkDatacenter(ctx, session, s.cfg.Datacenter); err != nil {
		return SchemaStatus{}, false, err
	}
	if status, err = readStatus(ctx, session, s.cfg); err != nil {
		return status, false, err
	}
	return status, localAway, status.Check()
}

// contact opens a session to one node. Where statements may go through other datacenters, and no
// contact point is a local node that answers, nodes that are known from before are tried: the
// local ones, and then the others.
func (s *engine) contact(ctx context.Context) (session *gocql.Session, localAway bool, err error) {
	cfg := s.cfg
	cfg.nodes = nil // these sessions say nothing about nodes
	if len(cfg.Failover) == 0 {
		session, err = cfg.connectAny(ctx)
		return session, false, err
	}
	var failed contactErrors
	for _, hosts := range s.contactPoints() {
		cfg.Hosts = hosts
		another, contacts := tryContacts(ctx, cfg)
		for _, c := range contacts {
			if c.err != nil {
				failed = append(failed, c.err)
			} else if c.datacenter == s.cfg.Datacenter {
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

// mostContacts is how many known nodes of a datacenter are tried.
const mostContacts = 8

// contactPoints lists the contact points to try together, the first ones first.
func (s *engine) contactPoints() [][]string {
	list := [][]string{s.cfg.Hosts}
	for _, datacenter := range append([]string{s.cfg.Datacenter}, s.cfg.Failover...) {
		nodes := s.known.of(datacenter, nil)
		list = append(list, nodes[:min(len(nodes), mostContacts)])
	}
	return list
}

// checkDatacenter returns an error that names what there is if the local datacenter is unknown.
func checkDatacenter(ctx context.Context, session *gocql.Session, name string) error {
	known := map[string]bool{}
	for _, cql := range []string{selectLocalDatacenter, selectDatacenters} {
		rows := session.Query(cql).Consistency(gocql.LocalOne).IterContext(ctx)
		var datacenter string
		for rows.Scan(&datacenter) {
			known[datacenter] = true
		}
		if err := rows.Close(); err != nil {
			return fmt.Errorf("cassandra: look at the cluster: %w: %w", store.ErrUnavailable, err)
		}
	}
	if !known[name] {
		return fmt.Errorf("%w %q, but %q", ErrUnknownDatacenter, name, sortedKeys(known))
	}
	return nil
}

// Close implements store.Engine. Statements under way finish first, those that wait to begin fail.
func (s *engine) Close() error {
	s.leaving.Do(func() {
		s.stopBeating()
		s.stopFailover()
		s.cfg.nodes.stop()
	})
	s.limit.close()
	s.life.Lock()
	defer s.life.Unlock()
	if !s.closed {
		s.closed = true
		s.closeRoutes()
		s.metrics.unregister(s.cfg.Registerer)
		s.stopCaches()
	}
	return nil
}

// now is the moment that a write is made at.
func (s *engine) now() time.Time { return s.cfg.Now() }

func (s *engine) stopCaches() {
	s.floors.StopAllGoroutines()
	s.grown.pages.StopAllGoroutines()
	s.pageSizes.sizes.StopAllGoroutines()
}
