// Package datacenters holds the tests of whole servers whose Cassandra nodes are killed, paused and
// cut off. It has no code of its own.
//
// Most tests of two datacenters use two nodes, and a line between them that can be cut; TestChaos
// with TEST_CHAOS=1 uses six.
package datacenters
