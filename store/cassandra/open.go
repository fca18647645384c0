package cassandra

import (
	"context"
	"sync"

	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
)

var _ store.Engine = (*Store)(nil)

// Store is the Cassandra engine at one level. See the package comment.
type Store struct {
	*engine
	contents
	mailboxes
	addresses
	domains
	tokens
	retrievals
	logins
	ledger
	journal
	checks
	notes
	*sweeper
	*clockWatch
}

// engine holds the objects that all levels of a store share. See DESIGN.md for their tasks.
type engine struct {
	cfg       Config
	metrics   *metrics
	link      *link
	failover  *failover
	runner    *runner
	heartbeat *heartbeat
	clock     *clockWatch
	caches    *caches
	sweep     *sweeper
	spools    spools

	levels  store.Levels[*Store]
	closing sync.Once
}

// Open connects to a cluster with the schema of this program, and returns the engine at the local level,
// see Levels. Close must follow. A clock that is not trusted is no error, see Store.Clock.
//
// Errors: those of SchemaStatus.Check and of Status; ErrNotAllowed.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	e := newEngine(cfg)
	status, localAway, err := examineCluster(ctx, cfg, e.link.peers)
	if err != nil {
		e.caches.close()
		return nil, err
	}
	if err := e.open(ctx, localAway); err != nil {
		e.caches.close()
		return nil, err
	}
	datacenters := sortedKeys(status.Replication)
	e.makeLevels(len(datacenters) > 1)
	e.start(ctx, datacenters)
	return e.levels.Local, nil
}

// newEngine makes the objects, without a connection.
func newEngine(cfg Config) *engine {
	l := limit.New(limit.Config{Most: cfg.Concurrency, QueueTime: cfg.QueueTime, Slow: cfg.Timeout / 20})
	m := newMetrics(l)
	cfg.nodes = newNodeWatch(cfg, m.nodes)
	c := newComplaints(cfg.Logger)
	e := &engine{cfg: cfg, metrics: m, link: newLink(cfg, m.observe(reportTo(l, cfg.Observe)), m, newPeerNodes(cfg, c))}
	e.failover = newFailover(e.link, c)
	e.runner = newRunner(cfg, e.link.look, l, m)
	peers, windows := newPeerServers(cfg), &windowCheck{cfg: cfg, metrics: m}
	e.clock = newClockWatch(cfg, e.runner, e.link, peers, m)
	e.heartbeat = &heartbeat{
		cfg: cfg, run: e.runner, clock: e.clock, peers: peers, roll: newRoll(cfg), pulse: &pulse{ttl: cfg.ttl()}, windows: windows, metrics: m,
		readings: map[string]reading{},
	}
	e.caches = newCaches(cfg, e.runner, m)
	e.link.switched = e.caches.states.forgetAll
	e.sweep = &sweeper{
		cfg: cfg, run: e.runner, clock: e.clock, windows: windows, peers: peers, caches: e.caches,
		lister:  &lister{cfg: cfg, run: e.runner, clock: e.clock, caches: e.caches},
		markers: &markers{cfg: cfg, run: e.runner, link: e.link, states: e.caches.states},
		state:   sweepState{floors: store.NewTurn(), trash: store.NewTurn(), orphans: store.NewTurn()},
	}
	return e
}

// open opens the route that statements go through, and checks permissions.
func (e *engine) open(ctx context.Context, localAway bool) error {
	if err := e.metrics.register(e.cfg.Registerer); err != nil {
		return err
	}
	err := e.failover.open(ctx, localAway)
	if err == nil {
		if err = checkPermissions(ctx, e.link.session(), e.cfg); err != nil {
			e.failover.closeRoutes()
		}
	}
	if err != nil {
		e.metrics.unregister(e.cfg.Registerer)
	}
	return err
}

// start starts the loops. datacenters lists the datacenters with replicas.
func (e *engine) start(ctx context.Context, datacenters []string) {
	var gossip func() driver.Session
	if len(datacenters) > 1 {
		gossip = e.link.session
	}
	e.cfg.nodes.start(gossip)
	e.failover.start(ctx)
	e.heartbeat.start(ctx, datacenters)
	e.clock.start()
}

// Close implements store.Engine. Statements in flight finish first, waiting statements fail.
func (e *engine) Close() error {
	e.closing.Do(func() {
		e.clock.stop()
		e.heartbeat.stop()
		e.failover.stop()
		e.cfg.nodes.stop()
		e.runner.close()
		e.failover.closeRoutes()
		e.metrics.unregister(e.cfg.Registerer)
		e.caches.close()
	})
	return nil
}

// Origin implements store.Place.
func (e *engine) Origin() string { return e.link.origin() }

// Levels returns the engine at each level. With replicas in one datacenter only, Each equals Local.
func (e *engine) Levels() store.Levels[*Store] { return e.levels }

// makeLevels makes the Store of each level. several is set if several datacenters have replicas.
func (e *engine) makeLevels(several bool) {
	local := e.storeAt(levelLocal)
	e.levels = store.Levels[*Store]{Local: local, Each: local, All: e.storeAt(levelAll), Several: several}
	if several {
		e.levels.Each = e.storeAt(levelEach)
	}
}

func (e *engine) storeAt(name levelName) *Store {
	at := level{name, e.link}
	return &Store{
		engine:   e,
		contents: contents{at: at, cfg: e.cfg, run: e.runner, spools: &e.spools},
		mailboxes: mailboxes{
			at: at, cfg: e.cfg, run: e.runner, link: e.link, clock: e.clock, caches: e.caches,
			lister: e.sweep.lister, markers: e.sweep.markers,
		},
		addresses:  addresses{at: at, run: e.runner, clock: e.clock},
		domains:    domains{at: at, run: e.runner, clock: e.clock},
		tokens:     tokens{at: at, run: e.runner, clock: e.clock},
		retrievals: retrievals{at: at, cfg: e.cfg, run: e.runner, clock: e.clock, states: e.caches.states},
		logins:     logins{at: at, cfg: e.cfg, run: e.runner, clock: e.clock},
		ledger:     ledger{at: at, cfg: e.cfg, run: e.runner},
		journal:    journal{at: at, cfg: e.cfg, run: e.runner},
		checks:     checks{at: at, cfg: e.cfg, run: e.runner, floors: e.caches.floors, sweeper: e.sweep},
		notes:      notes{at: at, cfg: e.cfg, run: e.runner},
		sweeper:    e.sweep,
		clockWatch: e.clock,
	}
}
