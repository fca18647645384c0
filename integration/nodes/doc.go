// Package nodes holds the tests of store/cassandra on nodes that are killed, paused and cut off, and
// on several nodes, and of servers with such nodes. The package has only tests. Harmless tests of the
// engine are in store/cassandra.
package nodes
