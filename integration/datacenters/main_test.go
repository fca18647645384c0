package datacenters

import (
	"os"
	"testing"

	"popelago/integration/servertest"
)

func TestMain(m *testing.M) { os.Exit(servertest.Main(m, &datacenters)) }
