// Package keyload computes how a workload spreads over the partitions and the nodes of a cluster, without a
// cluster. "popelago bench keys" prints the result.
//
// The partition keys are those of package cassandra, the tokens those of Cassandra (Murmur3Partitioner), and the
// tokens of nodes are chosen as Cassandra chooses them for vnodes and as many racks as replicas.
//
// # Counted and expected
//
// Every account has its own key, token and rate, and so has every shard of the directory, of the trash and of the
// journals. Contents are too many, and equal: each node gets the part of the token range that it owns. Messages of
// an account are not drawn at random: an account has the expected count. Nothing else is sampled.
//
// A Workload says what happens; rows.go says how many octets a row has, and which statements an operation needs.
// The functions need no synchronization; Compute uses all processors.
package keyload
