package datacenters

import (
	"os"
	"testing"

	"popelago/integration/servertest"
)

// node is the Cassandra node that a test kills.
var node = servertest.OwnNode("down")

func TestMain(m *testing.M) { os.Exit(servertest.Main(m, node.Lazy, &datacenters)) }
