package enginetest

import (
	"sync"
	"testing"

	"popelago/cassandratest"
)

// Pause stops a node with SIGSTOP. The function returned lets the node continue, once.
func Pause(t *testing.T, node *cassandratest.Node) (resume func()) {
	t.Helper()
	if err := node.Pause(); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if err := node.Resume(); err != nil {
			t.Error(err)
		}
	})
}
