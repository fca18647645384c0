package cassandratest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// startLimit is how long the start of one node may take on a busy machine.
const startLimit = 3 * time.Minute

// Start starts a cluster for one test and stops it at the end of the test. If the test failed,
// the ends of the nodes' logs are shown. Where java or mvn is missing the test is skipped, or
// fails if CI=true.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, err := startFor(o)
	check(t, err)
	t.Cleanup(c.Stop)
	showLogs(t, c)
	return c
}

func startFor(o Options) (*Cluster, error) {
	nodes := 0
	for _, dc := range o.withDefaults().Datacenters {
		nodes += dc.Nodes
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(nodes)*startLimit)
	defer cancel()
	return New(ctx, o)
}

func check(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

func showLogs(t testing.TB, c *Cluster) {
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range c.Nodes {
				t.Logf("end of the logs of node %s:\n%s", n.Name, n.Tail(30))
			}
		}
	})
}

// Lazy is a cluster that the tests of a package share. The first that asks for it starts it,
// and Main stops it: starting takes some fifteen seconds for each node.
type Lazy struct {
	Options Options
	// After, if not nil, looks at the cluster when all tests are done and have passed. An
	// error fails them after all.
	After func(*Cluster) error

	once    sync.Once
	cluster *Cluster
	err     error
}

// Main runs the tests of a package and stops the cluster; for TestMain.
func (l *Lazy) Main(m *testing.M) int {
	defer func() {
		if l.cluster != nil {
			l.cluster.Stop()
			os.RemoveAll(l.cluster.Dir)
		}
	}()
	code := m.Run()
	if code == 0 && l.cluster != nil && l.After != nil {
		if err := l.After(l.cluster); err != nil {
			fmt.Printf("--- FAIL: after all tests\n%v\nFAIL\n", err)
			return 1
		}
	}
	return code
}

// Get returns the cluster, started. The test that stops or pauses a node must undo that.
func (l *Lazy) Get(t testing.TB) *Cluster {
	t.Helper()
	l.once.Do(func() {
		o := l.Options
		if o.Dir == "" {
			if o.Dir, l.err = os.MkdirTemp("", "popelago-cassandra-"); l.err != nil {
				return
			}
		}
		if l.cluster, l.err = startFor(o); l.err != nil {
			os.RemoveAll(o.Dir)
		}
	})
	check(t, l.err)
	showLogs(t, l.cluster)
	return l.cluster
}

// Restart starts a node that was killed, within the limit of a start.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		t.Fatal(fmt.Errorf("restart: %w", err))
	}
}
