package cluster

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Cluster is a simulated cluster. Safe for concurrent use. Close must follow.
type Cluster struct {
	config Config
	start  time.Time
	timer  *time.Timer // of run
	ended  chan struct{}
	once   sync.Once

	mu        sync.Mutex
	agenda    agenda
	innerLag  int64 // see setLags
	outerLag  int64
	free      int64 // no event happens before this moment
	moment    int64 // of the event that happens
	happening bool
	spare     []*message // for reuse
	ranks     []int      // room for shuffle
	order     []*node    // room for prefer
	living    []*node    // room for assure
	wakeAt    int64      // when run, or a statement that waits for its turn, looks at the agenda
	timerAt   int64      // when run does
	nodes     []*node
	byName    map[string]*node
	ring      *ring
	schema    *schema
	plans     map[planKey]*plan
	prepared  int // the version of the schema that plans belong to
	cuts      map[[2]string]bool
	passes    map[[2]*peer]bool // caches open; cleared with each change of cuts
	sights    sights
	sessions  map[*session]struct{}
	counters  Counters
	turns     []*turn         // statements that wait, with Config.Serial
	bells     []chan struct{} // for reuse
	answers   []*request      // with replies that were not given yet
	held      map[string]bool // servers whose statements are kept back
	over      bool            // Close was called

	writes, reads, scans, patience *deadlines
	clients                        map[time.Duration]*deadlines
}

type planKey struct{ space, cql string }

// Counters counts what happened in a cluster.
type Counters struct {
	Statements, Writes, Reads, Scans         int64
	Messages, Lost                           int64
	WriteTimeouts, ReadTimeouts, Unavailable int64
	Hints, HintsDelivered, HintsLost         int64
	Repairs                                  int64 // rows or deletions written by reads
	Mismatches                               int64 // reads whose replicas differed
	ShortReads, Speculations, Purged         int64
}

// New starts a cluster. All its nodes run.
func New(config Config) (*Cluster, error) {
	c := &Cluster{
		config: config.withDefaults(), start: time.Now(),
		timer: time.NewTimer(time.Hour), ended: make(chan struct{}),
		byName: map[string]*node{}, schema: newSchema(), plans: map[planKey]*plan{},
		cuts: map[[2]string]bool{}, passes: map[[2]*peer]bool{}, sessions: map[*session]struct{}{},
		clients: map[time.Duration]*deadlines{}, held: map[string]bool{},
	}
	c.writes = &deadlines{cluster: c, wait: c.config.WriteTimeout}
	c.reads = &deadlines{cluster: c, wait: c.config.ReadTimeout}
	c.scans = &deadlines{cluster: c, wait: c.config.ScanTimeout}
	c.patience = &deadlines{cluster: c, wait: c.config.Speculate}
	c.setLags()
	for i, d := range c.config.Datacenters {
		c.addDatacenter(i, d)
	}
	if len(c.nodes) == 0 {
		return nil, fmt.Errorf("cluster: no nodes")
	}
	c.ring = newRing(c.nodes)
	for _, cql := range statementsOf(c.config.Schema) {
		st, err := parse(cql)
		if err == nil {
			err = c.schema.change(st, "")
		}
		if err != nil {
			return nil, fmt.Errorf("cluster: %w, in: %s", err, cql)
		}
	}
	go c.run()
	return c, nil
}

func (c *Cluster) addDatacenter(number int, d Datacenter) {
	for i := range d.Nodes {
		n := &node{
			peer: peer{name: fmt.Sprintf("%s-%d", d.Name, i+1), datacenter: d.Name}, cluster: c, index: len(c.nodes),
			address: fmt.Sprintf("10.%d.%d.%d", number+1, i/250, i%250+1),
			rack:    fmt.Sprintf("rack%d", i%max(d.Racks, 1)+1),
			running: true, data: newStorage(c.config.LogSync > 0),
			clock: clock{base: c.start, rate: 1},
		}
		binary.BigEndian.PutUint64(n.id[8:], uint64(len(c.nodes)+1))
		n.id[6], n.id[8] = 0x40, 0x80
		n.ip, n.idText = net.ParseIP(n.address), n.id.String()
		tokens := d.Tokens
		if tokens == 0 {
			tokens = 8
		}
		for range tokens {
			n.tokens = append(n.tokens, int64(c.config.Random.Uint64()))
		}
		c.nodes = append(c.nodes, n)
		c.byName[n.name] = n
	}
}

// Close ends the cluster. Statements in flight fail.
func (c *Cluster) Close() {
	c.once.Do(func() {
		c.lock()
		for s := range c.sessions {
			s.end()
		}
		c.wakeAll()
		c.timer.Reset(0)
		c.mu.Unlock()
		<-c.ended
	})
}

// Counters returns what happened so far.
func (c *Cluster) Counters() Counters {
	c.lock()
	defer c.mu.Unlock()
	return c.counters
}

// Nodes lists the names of all nodes.
func (c *Cluster) Nodes() []string {
	list := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		list[i] = n.name
	}
	return list
}

// Address returns the address of a node.
func (c *Cluster) Address(name string) string { return c.mustNode(name).address }

// mustNode panics for a name that no node has: the caller made a mistake.
func (c *Cluster) mustNode(name string) *node {
	n := c.byName[name]
	if n == nil {
		panic(fmt.Sprintf("cluster: no node is named %q", name))
	}
	return n
}

// prepare returns the plan of a statement.
func (c *Cluster) prepare(cql, space string) (*plan, error) {
	if c.prepared != c.schema.version {
		clear(c.plans)
		c.prepared = c.schema.version
	}
	key := planKey{space, cql}
	if p := c.plans[key]; p != nil {
		return p, nil
	}
	p, err := c.schema.prepare(cql, space)
	if err == nil {
		c.plans[key] = p
	}
	return p, err
}

// schemaID is the id of the schema that all nodes tell.
func (c *Cluster) schemaID() gocql.UUID {
	var id gocql.UUID
	binary.BigEndian.PutUint64(id[8:], uint64(c.schema.version+1))
	id[6], id[8] = 0x40, 0x80
	return id
}
