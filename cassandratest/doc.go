// Package cassandratest starts and stops real Apache Cassandra nodes for tests and for development:
// one or more datacenters on this machine, without containers and without root.
//
//	var cluster = cassandratest.Lazy{Options: cassandratest.Options{}}
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
//	func TestX(t *testing.T)    { hosts := cluster.Get(t).Addresses("dc1") ... }
//
// The jars come from a Maven repository, once for each version, into the user's cache folder
// (popelago/cassandra-VERSION). Java 17 and mvn must be installed; JAVA_HOME is honoured. Without
// them, tests are skipped and name the missing packages, but fail if CI=true.
//
// Beside the jars is an archive of Java's classes (popelago/cassandra-VERSION-HASH.jsa, for each Java),
// which takes a fifth off the work of a start. The first start of a node makes the archive, in half a
// minute. An empty file in its place turns the archive off.
//
// # Addresses
//
// Node M of datacenter N listens on 127.K.N.M, ports 9042 (CQL) and 7000. K is the network of the
// cluster: every running cluster has its own, by a lock on a file in the folder of temporary files,
// so that test packages can run side by side. Linux needs no setup for these addresses; elsewhere
// the loopback aliases must exist.
//
// With Options.Link every datacenter is a network namespace behind a router, on 10.(100+K).N.M, and
// Cut and Heal break and restore the line between two datacenters, and Lag delays its packets. Link
// needs root and the program ip, and leaves nothing behind after Stop.
//
// # Life of a node
//
// A node is one process in a process group of its own. Kill, Pause and Resume are signals to the
// process: SIGKILL, SIGSTOP, SIGCONT. A node started by a test dies with the test's process, even
// if that process is killed. A node's folder holds its data, its settings and its logs:
//
//	DIR/dc1-1/cassandra.yaml  settings
//	DIR/dc1-1/system.log      Cassandra's log, level INFO
//	DIR/dc1-1/out.log         standard output and error of the process
//	DIR/cluster.json          nodes and their process ids, for the command in cmd
//
// # Keeping clusters between runs
//
// With TEST_CASSANDRA_KEEP=DIR, an absolute path, Lazy leaves its cluster running in a subfolder of
// DIR after the tests. The next run of tests that ask for the same cluster finds it, in a second
// instead of half a minute. Missing and hanging nodes are started again, cut lines are restored,
// and keyspaces are dropped except the ones in Lazy.Keyspaces; changes of users and of Cassandra's
// own tables stay. One run at a time has a cluster: a second run gets a
// new one. ./scripts/cassandra stop --dir DIR ends them all.
//
// # Sharing a node
//
// Tests that do a node no harm share it with Lazy.Share, most simply by Shared. Packages that share
// have the same cluster at the same time, each with keyspaces of its own; tests that kill, pause or
// cut have clusters of their own. TEST_CASSANDRA_SHARE=DIR keeps only shared clusters: ./test sets
// it, and ends them.
//
// A Cluster and its Nodes are safe for concurrent use, except that a Node must not be started twice
// at the same time.
package cassandratest
