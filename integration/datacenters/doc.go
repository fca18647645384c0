// Package datacenters holds the tests of whole servers whose Cassandra nodes are killed, paused and
// cut off. The package has only tests.
//
// Most tests of two datacenters use two nodes with a line that Cut can break; TestChaos with
// TEST_CHAOS=1 uses six nodes.
package datacenters
