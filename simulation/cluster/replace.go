package cluster

import (
	"fmt"
	"slices"
	"time"
)

// LoseDatacenter destroys all nodes of a datacenter with their data and hints, for good, and returns the rows whose
// newest state only these nodes had. New machines take their place with JoinDatacenter.
func (c *Cluster) LoseDatacenter(datacenter string) (lost []LostRow) {
	c.change(func() {
		lost = c.onlyIn(datacenter)
		for _, n := range c.of(datacenter) {
			n.crash(true)
			n.wipe()
			n.gone = true
		}
	})
	return lost
}

// RemoveDatacenter takes the nodes of a lost datacenter out of the cluster, as nodetool removenode does: no node
// knows them any more.
func (c *Cluster) RemoveDatacenter(datacenter string) {
	c.change(func() {
		for _, n := range c.of(datacenter) {
			n.removed = true
			n.wipe()
		}
	})
}

// JoinDatacenter starts new, empty nodes in a lost datacenter. They have the names, addresses and tokens of the lost
// nodes, and host ids of their own.
func (c *Cluster) JoinDatacenter(datacenter string) {
	c.change(func() {
		for _, n := range c.of(datacenter) {
			n.wipe()
			n.gone, n.removed, n.paused, n.waiting = false, false, false, nil
			n.clock = clock{since: c.now(), base: time.Now(), rate: 1}
			n.id[3]++
			n.idText = n.id.String()
			n.restart()
		}
	})
}

// of lists the nodes of a datacenter.
func (c *Cluster) of(datacenter string) []*node {
	return slices.DeleteFunc(slices.Clone(c.nodes), func(n *node) bool { return n.datacenter != datacenter })
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
	c.lock()
	defer c.mu.Unlock()
	n := c.mustNode(name)
	return c.stream(n, func(o *node) bool { return o.datacenter == from })
}

// Replace starts an empty node in place of a node, with rows from one replica of each partition, of its own
// datacenter first. The rows are there at once. A partition without a replica that can be reached is an error,
// and the node stays down.
func (c *Cluster) Replace(name string) error {
	c.lock()
	defer c.mu.Unlock()
	n := c.mustNode(name)
	if n.gone {
		return fmt.Errorf("cluster: node %s is lost with its datacenter", name)
	}
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
	c.ring.partitionsOf(i, source.data.table(t.id), func(p *partition) {
		n.data.apply(&mutation{t, []*partition{p}})
	})
	return nil
}
