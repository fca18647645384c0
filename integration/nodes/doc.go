// Package nodes holds the tests of store/cassandra on nodes that are killed, paused and cut off, and
// on several nodes. The package has only tests. Tests of the engine that do their node no harm are in
// store/cassandra.
package nodes
