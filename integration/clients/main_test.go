package clients

import (
	"os"
	"testing"

	"popelago/integration/servertest"
)

// node is the Cassandra node of these tests.
var node = servertest.SharedNode("clients")

func TestMain(m *testing.M) { os.Exit(servertest.Main(m, node.Lazy)) }
