// Package cluster simulates a cluster of Cassandra nodes in one process, for tests of the Cassandra engine under
// faults. It stands in place of the driver for Go: a Server implements driver.Cluster.
//
//	c, err := cluster.New(cluster.Config{
//		Datacenters: []cluster.Datacenter{{Name: "dc1", Nodes: 3}, {Name: "dc2", Nodes: 3}},
//		Schema:      schema, // from cassandra.Schema
//		Random:      rand.New(rand.NewPCG(seed, 0)),
//	})
//	server := c.Server("server-1", "dc1", 5*time.Second)
//	session, err := server.Open(ctx, driver.Options{Hosts: []string{c.Address("dc1-1")}, Datacenter: "dc1", Keyspace: "mail"})
//	c.Cut("dc1", "dc2")
//
// # Time
//
// The cluster uses the time of package time, and waits for nothing but timers, channels and its lock. In a
// bubble of testing/synctest its time is virtual. All chance comes from Config.Random. The messages between
// nodes are events on one agenda; one goroutine makes them happen. Every statement costs its caller one wait.
//
// # What is simulated
//
//   - Statements: the CQL of the product, by a parser of its own. A statement outside of that part of CQL is
//     refused with the code 0x2200 and a text that names the statement.
//   - Rows: cells with timestamp and TTL, markers of INSERT, static columns, collections, deletions of cells,
//     collections, rows, intervals and partitions, and the rules by which Cassandra reconciles them.
//   - Tombstones: kept for gc_grace_seconds by the clock of the node that compacts, and with
//     only_purge_repaired_tombstones until Repair. A read leaves out tombstones that may be purged. Too many
//     tombstones fail a read. Compact purges; nothing is purged by itself.
//   - Replicas: tokens by Murmur3, NetworkTopologyStrategy with racks, coordinators, the levels ONE, TWO, THREE,
//     QUORUM, ALL, LOCAL_ONE, LOCAL_QUORUM and EACH_QUORUM. A coordinator refuses a statement if it takes too few
//     replicas for alive. It does not see a dead node at once.
//   - Writes: a time-out leaves the outcome open. A mutation may arrive late, or never.
//   - Reads: digests and data, blocking read repair, one more replica when an answer is missing, short reads.
//   - Hints: in memory, then in a file, then listed in system_views.pending_hints, then delivered. They end with
//     the hint window, with the coordinator's disk, and with gc_grace_seconds.
//   - Crashes with and without the commit log's last seconds, pauses, slow nodes, lost messages, cut lines in one
//     or both directions, lost datacenters, Rebuild, Replace, and clocks that are wrong.
//   - Sessions: replicas first, the rack first, connections that end with a process at once and with a cut line
//     later.
//   - Tables about nodes: the columns that the product reads.
//
// # What is not simulated
//
//   - Conditions (IF), counters, user types, indexes, logged batches, batches over several partitions, lists that
//     are not frozen, IN and ranges of partition keys, aggregation, and the permissions of users.
//   - Disks: every table has its rows in one place. Bloom filters, flushes and the order of compactions do not
//     exist. A write that deletes rows removes them at once.
//   - The schema: a change reaches all nodes at the same time.
//   - Topology: the tokens never change. Rebuild, Replace and Repair take no time.
//   - A short read asks all replicas once more with twice the limit, and not one replica for the rest.
//   - A scan asks all nodes of a run of the ring at the same time.
//   - The load of a node: only the latency of messages takes time. Overload is a fault.
package cluster
