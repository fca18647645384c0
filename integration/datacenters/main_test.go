package datacenters

import (
	"os"
	"testing"

	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/integration/sitetest"
)

// datacenters are two datacenters of one node each, enough for most tests, with a line that Cut can
// break.
var datacenters = cassandratest.Lazy{Options: cassandratest.Options{
	Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 1}, {Name: "dc2", Nodes: 1}},
	Link:        true,
	Settings:    map[string]string{"write_request_timeout": "4s"}, // a disk that is busy for two seconds is no fault
}, After: cassandratest.Uncoordinated}

func TestMain(m *testing.M) { os.Exit(servertest.Main(m, &datacenters)) }

// newSites starts a server in each of the datacenters.
func newSites(t *testing.T, settings ...string) *sitetest.Sites {
	t.Helper()
	if testing.Short() {
		t.Skip("needs two Cassandra nodes")
	}
	return sitetest.NewSites(t, datacenters.Get(t), settings...)
}
