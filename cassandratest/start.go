package cassandratest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// startLimit bounds the start of one node on a busy machine.
const startLimit = 10 * time.Minute

// Start starts a cluster for a test and stops the cluster at the end of the test. After a failed test
// Start shows the ends of the nodes' logs. Without java or mvn the test is skipped, or fails if
// CI=true.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.Brief = !benchmarking()
	c, err := startFor(o)
	check(t, err)
	t.Cleanup(c.Stop)
	showLogs(t, c)
	return c
}

// benchmarking reports whether this test program runs benchmarks.
func benchmarking() bool {
	f := flag.Lookup("test.bench")
	return f != nil && f.Value.String() != ""
}

func startFor(o Options) (*Cluster, error) {
	ctx, cancel := o.limit()
	defer cancel()
	return New(ctx, o)
}

// limit is a context for starting a cluster.
func (o Options) limit() (context.Context, context.CancelFunc) {
	nodes := 0
	for _, dc := range o.withDefaults().Datacenters {
		nodes += dc.Nodes
	}
	return context.WithTimeout(context.Background(), time.Duration(nodes)*startLimit)
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
				t.Logf("end of the logs of node %s:\n%s", n.Name, n.tail(30))
			}
		}
	})
}

// Lazy is a cluster shared by the tests of a package. The first test starts the cluster, and Main
// stops the cluster: a start takes some fifteen seconds for each node. With KeepVariable the cluster
// stays for the next run.
type Lazy struct {
	Options Options
	// After, if not nil, looks at the cluster when all tests are done and have passed. An error fails
	// the tests after all.
	After func(*Cluster) error
	// Keyspaces are the keyspaces that the next run may find in a kept cluster. All further
	// keyspaces, except Cassandra's own, are dropped before the run: with Share only the keyspaces of
	// these tests.
	Keyspaces []string
	// Share, if not empty, lets further processes that share have the cluster at the same time. The
	// tests promise to kill, pause and cut off no node, and to name their keyspaces Share, or Share_
	// and more.
	Share string

	once    sync.Once
	cluster *Cluster
	unlock  func() // not nil: the cluster is kept
	err     error
}

// Shared is a healthy node shared by packages, each with the keyspaces of a name. Without a folder
// named by KeepVariable or ShareVariable each package has a node of its own.
func Shared(name string) *Lazy {
	return &Lazy{Share: name, After: Uncoordinated, Options: Options{Patient: true, Settings: map[string]string{
		// A read that must skip more removals than this fails: Cassandra's own limit is 100,000.
		"tombstone_warn_threshold": "500", "tombstone_failure_threshold": "2000",
	}}}
}

// Main runs the tests of a package and stops the cluster; for TestMain.
func (l *Lazy) Main(m *testing.M) int { return Main(m, l) }

// Main runs the tests of a package with several clusters, and stops the clusters; for TestMain.
func Main(m *testing.M, clusters ...*Lazy) int {
	for _, l := range clusters {
		defer l.end()
	}
	code := m.Run()
	for _, l := range clusters {
		if code == 0 && l.cluster != nil && l.After != nil {
			if err := l.After(l.cluster); err != nil {
				fmt.Printf("--- FAIL: after all tests\n%v\nFAIL\n", err)
				return 1
			}
		}
	}
	return code
}

// end stops the cluster, or releases a kept one.
func (l *Lazy) end() {
	switch {
	case l.cluster == nil:
	case l.unlock != nil:
		l.cluster.release()
		l.unlock()
	default:
		l.cluster.Stop()
		os.RemoveAll(l.cluster.Dir)
	}
}

// Get returns the started cluster. A test that stops or pauses a node must undo the stop.
func (l *Lazy) Get(t testing.TB) *Cluster {
	t.Helper()
	l.once.Do(func() {
		o := l.options()
		if dir := l.folder(); dir != "" {
			ctx, cancel := o.limit()
			defer cancel()
			l.cluster, l.unlock, l.err = l.keep(ctx, dir)
			return
		}
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

// options returns the options of the cluster.
func (l *Lazy) options() Options {
	o := l.Options
	o.Brief = !benchmarking()
	o.Unkilled = o.Unkilled || l.Share != ""
	return o
}

// folder returns the folder in which the cluster stays after the tests, or "".
func (l *Lazy) folder() string {
	dir := os.Getenv(KeepVariable)
	if dir == "" && l.Share != "" {
		dir = os.Getenv(ShareVariable)
	}
	return dir
}

// Restart starts a killed node, within the limit of a start.
func (n *Node) Restart(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		t.Fatal(fmt.Errorf("restart: %w", err))
	}
}
