package cluster

import "fmt"

// LoseDatacenter destroys all nodes of a datacenter with their data and hints. Empty machines take their
// place after Restart.
func (c *Cluster) LoseDatacenter(datacenter string) {
	c.change(func() {
		for _, n := range c.nodes {
			if n.datacenter == datacenter {
				n.crash(true)
				n.wipe()
			}
		}
	})
}

// Wipe destroys a node with its data and its hints. An empty machine takes its place after Restart.
func (c *Cluster) Wipe(name string) {
	c.change(func() {
		n := c.mustNode(name)
		n.crash(true)
		n.wipe()
	})
}

// wipe empties a node. Other nodes give up their hints for it: its successor has another host id.
func (n *node) wipe() {
	n.data = newStorage(n.cluster.config.LogSync > 0)
	n.dropHints()
	for _, o := range n.cluster.nodes {
		if s := o.hints.stores[n]; s != nil {
			n.cluster.counters.HintsLost += int64(s.count())
			delete(o.hints.stores, n)
		}
	}
}

// Rebuild gives a node all rows that it should have, from one replica of each partition in another datacenter, as
// nodetool rebuild does. The rows are there at once.
func (c *Cluster) Rebuild(name, from string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.mustNode(name)
	return c.stream(n, func(o *node) bool { return o.datacenter == from })
}

// Replace starts an empty node in place of a node, with rows from one replica of each partition, of its own
// datacenter first. The rows are there at once. A partition without a replica that can be reached is an error,
// and the node stays down.
func (c *Cluster) Replace(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.mustNode(name)
	n.crash(true)
	n.wipe()
	if err := c.stream(n, func(o *node) bool { return o.datacenter == n.datacenter }); err != nil {
		if err = c.stream(n, func(*node) bool { return true }); err != nil {
			n.wipe()
			c.look()
			return err
		}
	}
	n.restart()
	c.look()
	return nil
}

// stream copies the partitions of a node from the first fit replica of each.
func (c *Cluster) stream(n *node, fit func(*node) bool) error {
	for _, space := range sortedNames(c.schema.keyspaces) {
		k := c.schema.keyspaces[space]
		for _, name := range sortedNames(k.tables) {
			t := k.tables[name]
			for i := range c.ring.tokens {
				if err := c.streamRange(n, k, t, i, fit); err != nil {
					return err
				}
			}
		}
	}
	if n.data.journal != nil {
		n.data.journal.sync()
	}
	return nil
}

func (c *Cluster) streamRange(n *node, k *keyspace, t *table, i int, fit func(*node) bool) error {
	replicas := c.ring.replicasAt(k, i)
	var source *node
	wanted := false
	for _, o := range replicas {
		if o == n {
			wanted = true
		} else if source == nil && o.ready() && fit(o) && c.linked(&n.peer, &o.peer) {
			source = o
		}
	}
	if !wanted {
		return nil
	}
	if source == nil {
		if len(replicas) == 1 {
			return nil
		}
		return fmt.Errorf("cluster: no source for a range of node %s", n.name)
	}
	for _, p := range source.data.table(t.id).sorted() {
		if c.ring.rangeOf(p.token) == i {
			n.data.apply(&mutation{t, []*partition{p}})
		}
	}
	return nil
}
