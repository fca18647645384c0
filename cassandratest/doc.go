// Package cassandratest starts and stops real Apache Cassandra nodes for tests and for
// development: one or more datacenters on this machine, without containers and without root.
//
//	var cluster = cassandratest.Lazy{Options: cassandratest.Options{}}
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
//	func TestX(t *testing.T)    { hosts := cluster.Get(t).Addresses("dc1") ... }
//
// The jars come from a Maven repository, once for each version, into the user's cache folder
// (popelago/cassandra-VERSION). Java 17 and mvn must be installed; JAVA_HOME is honoured. Where
// they are missing, tests are skipped and told what to install, but fail if CI=true.
//
// # Addresses
//
// Node M of datacenter N listens on 127.K.N.M, ports 9042 (CQL) and 7000. K is the network of
// the cluster: every running cluster holds its own, by a lock on a file in the folder of
// temporary files, so that test packages can run side by side. Nothing needs to be set up for
// this on Linux; elsewhere the loopback aliases must exist.
//
// With Options.Link every datacenter is a network namespace behind a router, on 10.(100+K).N.M,
// and Cut and Heal break and mend the line between two of them. This needs root and the program
// ip, and leaves nothing behind after Stop.
//
// # Life of a node
//
// A node is one process in a process group of its own. Kill, Pause and Resume are signals to
// it: SIGKILL, SIGSTOP, SIGCONT. A node started by a test dies with the test's process, even
// if that is killed. A node's folder holds its data, its settings and its logs:
//
//	DIR/dc1-1/cassandra.yaml  settings
//	DIR/dc1-1/system.log      what Cassandra logs, level INFO
//	DIR/dc1-1/out.log         standard output and error of the process
//	DIR/cluster.json          nodes and their process ids, for the command in cmd
//
// # Keeping clusters between runs
//
// With TEST_CASSANDRA_KEEP=DIR, an absolute path, Lazy leaves its cluster running in a subfolder
// of DIR when the tests are done, and the next run of tests that ask for the same finds it there:
// that takes a second instead of half a minute. Nodes that are gone or hang are started again,
// lines that are cut are mended, and keyspaces are dropped but for those in Lazy.Keyspaces; what
// tests do to users and to Cassandra's own tables stays. One run at a time has a cluster: another
// that wants the same gets one of its own. ./scripts/cassandra stop --dir DIR ends them all.
//
// # Sharing a node
//
// Tests that do a node no harm say so with Lazy.Share, most simply by Shared. Packages that
// share have the same cluster at the same time, each with keyspaces of its own; tests that kill,
// pause or cut have clusters of their own. TEST_CASSANDRA_SHARE=DIR keeps only clusters that are
// shared: ./test sets it, and ends them.
//
// A Cluster and its Nodes are safe for concurrent use, except that one Node must not be
// started twice at the same time.
package cassandratest
