package cassandratest

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"popelago/freeport"
)

// Cluster is a set of nodes that see each other.
type Cluster struct {
	Nodes []*Node // by datacenter, in order
	// Dir is the folder with everything.
	Dir string
	// Version of Cassandra.
	Version string
	// Network is K in 127.K.N.M.
	Network int

	release func()
	link    *link // nil: the loopback interface
	saving  sync.Mutex
	moves   int // M of the next address of a moved node, see Move
}

// New starts a cluster and waits until all nodes answer clients and see each other. The caller must
// call Stop. Errors: ErrMissing; all further errors name the node and show the end of its log.
func New(ctx context.Context, o Options) (*Cluster, error) {
	o = o.withDefaults()
	if o.Network < 0 || o.Network > maxNetwork || o.Link && o.Network > maxLinkedNetwork {
		return nil, fmt.Errorf("cassandratest: network %d: want 1 to %d, or %d with a link", o.Network, maxNetwork, maxLinkedNetwork)
	}
	java, err := java()
	if err != nil {
		return nil, err
	}
	lib, err := jars(ctx, o.Version)
	if err != nil {
		return nil, err
	}
	if left, _ := os.ReadDir(o.Dir); len(left) > 0 {
		return nil, fmt.Errorf("cassandratest: the folder %s is not empty", o.Dir)
	}
	address := address
	if o.Link {
		if err := canLink(); err != nil {
			return nil, err
		}
		address = linkedAddress
	}
	network, release, err := takeNetwork(o.Network)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: o.Dir, Version: o.Version, Network: network, release: release}
	var seeds []string
	largest := 0
	classes := archive(ctx, java, lib, o)
	for i, dc := range o.Datacenters {
		seeds = append(seeds, address(network, i+1, 1))
		largest = max(largest, dc.Nodes)
		for j := range dc.Nodes {
			name := fmt.Sprintf("%s-%d", dc.Name, j+1)
			n := &Node{
				Name: name, Datacenter: dc.Name, Rack: fmt.Sprintf("rack%d", j+1),
				Address: address(network, i+1, j+1),
				dir:     filepath.Join(o.Dir, name), java: java, detached: o.Detached, brief: o.Brief,
			}
			jmx := 0 // any
			if o.Detached {
				n.started = c.Save
			}
			if o.Detached || o.Nodetool {
				ports, err := freeport.Take(1)
				if err != nil {
					release()
					return nil, err
				}
				jmx = ports[0]
			}
			n.args = n.arguments(lib, o, jmx)
			if classes != "" {
				n.args = withArchive(n.args, n.dir, "-XX:SharedArchiveFile="+classes)
			}
			c.Nodes = append(c.Nodes, n)
		}
	}
	if o.Link {
		if err := c.makeLink(o.Datacenters); err != nil {
			release()
			return nil, err
		}
	}
	for i, n := range c.Nodes {
		// Nodes start in sequence: the tokens of a node depend on the nodes that the seeds know.
		o.Log(fmt.Sprintf("node %s (%d of %d) starts at %s; log: %s", n.Name, i+1, len(c.Nodes), n.Address, n.LogFile()))
		began := time.Now()
		err := n.writeSettings(strings.Join(seeds, ","), min(3, largest), o.overrides())
		if err == nil {
			err = n.Start(ctx)
		}
		if err == nil && i+1 < len(c.Nodes) {
			err = c.waitPlaced(ctx)
		}
		if err != nil {
			c.Stop()
			return nil, err
		}
		o.Log(fmt.Sprintf("node %s answers after %v", n.Name, time.Since(began).Round(time.Second)))
	}
	o.Log("waiting until all nodes see each other")
	if err := c.WaitSeen(ctx); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// makeLink makes the network of the datacenters and moves their nodes into it.
func (c *Cluster) makeLink(datacenters []Datacenter) error {
	c.link = &link{network: c.Network}
	var counts []int
	namespaces := map[string]string{}
	for i, dc := range datacenters {
		c.link.datacenters = append(c.link.datacenters, dc.Name)
		counts = append(counts, dc.Nodes)
		namespaces[dc.Name] = c.link.namespace(i + 1)
	}
	for _, n := range c.Nodes {
		n.args = append([]string{"netns", "exec", namespaces[n.Datacenter], n.java}, n.args...)
		n.java = "ip"
	}
	return c.link.up(counts)
}

// Stop ends all nodes at once. Their folders stay.
func (c *Cluster) Stop() {
	var wg sync.WaitGroup
	for _, n := range c.Nodes {
		wg.Go(n.Kill)
	}
	wg.Wait()
	if c.link != nil {
		c.link.down()
	}
	if c.release != nil {
		c.release()
	}
}

// Node returns the node with the name, or nil.
func (c *Cluster) Node(name string) *Node {
	for _, n := range c.Nodes {
		if n.Name == name {
			return n
		}
	}
	return nil
}

// Datacenter returns the nodes of a datacenter.
func (c *Cluster) Datacenter(name string) []*Node {
	var nodes []*Node
	for _, n := range c.Nodes {
		if n.Datacenter == name {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// Addresses returns the IP addresses of the nodes of a datacenter.
func (c *Cluster) Addresses(datacenter string) []string {
	var list []string
	for _, n := range c.Datacenter(datacenter) {
		list = append(list, n.Address)
	}
	return list
}

// WaitSeen waits until every running node considers all running nodes up, by its log, and can name
// them to clients.
func (c *Cluster) WaitSeen(ctx context.Context) error {
	return until(ctx, func() error { return c.seen(ctx) })
}

// WaitUnseen waits until no running node of two datacenters considers a node of the other
// datacenter up.
func (c *Cluster) WaitUnseen(ctx context.Context, a, b string) error {
	return until(ctx, func() error {
		return cmp.Or(unseen(c.Datacenter(a), c.Datacenter(b)), unseen(c.Datacenter(b), c.Datacenter(a)))
	})
}

// WaitDown waits until no running node considers a killed node up. Before that, reads of the killed
// node's data wait for it in vain.
func (c *Cluster) WaitDown(ctx context.Context, n *Node) error {
	return until(ctx, func() error { return unseen(c.Nodes, []*Node{n}) })
}

// unseen returns an error if a running node of nodes considers a node of others up.
func unseen(nodes, others []*Node) error {
	for _, n := range nodes {
		_, up := n.history()
		for _, other := range others {
			if n != other && n.Running() && up[other.Address] != "" {
				return fmt.Errorf("cassandratest: node %s still sees %s", n.Name, other.Name)
			}
		}
	}
	return nil
}

// until calls check until it returns nil. If the context ends, the error has check's last error.
func until(ctx context.Context, check func() error) error {
	for {
		err := check()
		if err == nil {
			return nil
		}
		if pause(ctx) != nil {
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// seen returns an error that names a node without sight of a running node. Reading the logs comes first:
// asking a node takes a connection.
func (c *Cluster) seen(ctx context.Context) error {
	started, up := map[*Node]string{}, map[*Node]map[string]string{}
	for _, n := range c.Nodes {
		if n.Running() {
			started[n], up[n] = n.history()
		}
	}
	for n := range up {
		for other := range up {
			if at := up[n][other.Address]; other != n && (at < started[n] || at < started[other]) {
				return fmt.Errorf("cassandratest: node %s does not see %s", n.Name, other.Name)
			}
		}
	}
	for n := range up {
		if known, err := n.peers(ctx); err != nil || known < len(c.Nodes)-1 {
			return fmt.Errorf("cassandratest: node %s tells of %d other nodes (%v)", n.Name, known, err)
		}
	}
	return nil
}

// history reads two facts from the node's log: its last start, and the addresses that it considers
// up, with the moment since. Times are the texts in the log.
//
//	INFO  [main] 2026-11-23 22:53:02,046 StorageService Cassandra version: 5.0.6
//	INFO  [GossipStage:1] 2026-11-23 22:53:11,938 Gossiper InetAddress /127.10.1.1:7000 is now UP
//	INFO  [GossipStage:1] 2026-11-23 22:53:41,173 Gossiper InetAddress 127.10.1.1/127.10.1.1:7000 is now DOWN
func (n *Node) history() (started string, up map[string]string) {
	up = map[string]string{}
	text, _ := os.ReadFile(n.LogFile()) // there may be none yet
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(line, "] ")
		const timeLength = len("2026-11-23 22:53:02,046")
		if len(rest) < timeLength {
			continue
		}
		at, rest := rest[:timeLength], rest[timeLength:]
		if strings.Contains(rest, "Cassandra version: ") {
			started = at
			continue
		}
		_, rest, isAddress := strings.Cut(rest, "InetAddress ")
		_, rest, _ = strings.Cut(rest, "/") // a host name may stand before the slash
		address, state, isState := strings.Cut(rest, ":7000 is now ")
		switch {
		case !isAddress || !isState:
		case strings.HasPrefix(state, "UP"):
			up[address] = at
		default:
			delete(up, address)
		}
	}
	return started, up
}
