// Package datacenters holds the tests of whole servers whose Cassandra nodes are killed, paused and
// cut off. It has no code of its own.
//
// What two datacenters owe each other is tested with two nodes, and a line between them that can
// be cut; TestChaos with TEST_CHAOS=1 with six.
package datacenters
