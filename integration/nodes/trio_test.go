package nodes

import (
	"fmt"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// trioTombstones is the number of tombstones that a read on trio may skip.
const trioTombstones = 3000

// trio is three nodes of one datacenter, for tests that need a quorum smaller than all. A test that
// stops or pauses a node must undo the stop.
var trio = cassandratest.Lazy{
	Options: cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 3}},
		Settings: map[string]string{
			"tombstone_warn_threshold": "1000", "tombstone_failure_threshold": "3000",
			// A busy machine is no fault.
			"read_request_timeout": "20s", "write_request_timeout": "20s",
		},
	},
	After: cassandratest.Uncoordinated,
}

// trioKeyspace is the keyspace of trio with so many replicas.
func trioKeyspace(replicas int) string { return fmt.Sprintf("%s_%d", enginetest.Keyspace(), replicas) }

// onTrio returns the configuration of a store on trio with so many replicas.
func onTrio(t testing.TB, replicas int) cassandra.Config {
	if testing.Short() {
		t.Skip("needs three Cassandra nodes")
	}
	return cassandra.Config{
		Hosts:            trio.Get(t).Addresses("dc1"),
		Datacenter:       "dc1",
		Keyspace:         trioKeyspace(replicas),
		Replication:      map[string]int{"dc1": replicas},
		SpoolDir:         t.TempDir(),
		SpeculativeDelay: -1, // each statement is counted once
		Reconnect:        200 * time.Millisecond,
		Heartbeat:        time.Hour,
		QueueTime:        time.Minute,
		ClockEvery:       time.Minute,
		Observe:          seen.Observe,
		Timeout:          time.Minute, ConnectTimeout: time.Minute,
	}
}
