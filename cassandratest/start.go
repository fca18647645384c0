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

// startLimit is how long the start of one node may take on a busy machine.
const startLimit = 10 * time.Minute

// Start starts a cluster for one test and stops it at the end of the test. If the test failed,
// the ends of the nodes' logs are shown. Where java or mvn is missing the test is skipped, or
// fails if CI=true.
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

// benchmarking reports whether this program of tests runs benchmarks.
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
				t.Logf("end of the logs of node %s:\n%s", n.Name, n.Tail(30))
			}
		}
	})
}

// Lazy is a cluster that the tests of a package share. The first that asks for it starts it,
// and Main stops it: starting takes some fifteen seconds for each node. With KeepVariable the
// cluster stays for the next run.
type Lazy struct {
	Options Options
	// After, if not nil, looks at the cluster when all tests are done and have passed. An
	// error fails them after all.
	After func(*Cluster) error
	// Keyspaces are those that the next run may find in a cluster that was kept. All others,
	// but for Cassandra's own, are dropped before it starts: with Share those of these tests.
	Keyspaces []string
	// Share, if not empty, lets other processes that share have the cluster at the same time. The
	// tests promise that no node is killed, paused or cut off, and that their keyspaces are named
	// Share, or Share_ and more.
	Share string

	once    sync.Once
	cluster *Cluster
	unlock  func() // not nil: the cluster is kept
	err     error
}

// Shared is one healthy node that packages share, each with the keyspaces of a name. Without a
// folder named by KeepVariable or ShareVariable each package has a node of its own.
func Shared(name string) *Lazy {
	return &Lazy{Share: name, After: Uncoordinated, Options: Options{Settings: map[string]string{
		// A read fails that has to skip more removals than this: Cassandra's own limit is 100,000.
		"tombstone_warn_threshold": "500", "tombstone_failure_threshold": "2000",
		// A busy machine is no fault.
		"read_request_timeout": "1m", "write_request_timeout": "1m",
	}}}
}

// Main runs the tests of a package and stops the cluster; for TestMain.
func (l *Lazy) Main(m *testing.M) int { return Main(m, l) }

// Main runs the tests of a package that has several clusters, and stops them; for TestMain.
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

// end stops the cluster, or lets others have it if it is kept.
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

// Get returns the cluster, started. The test that stops or pauses a node must undo that.
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

// options are those of the cluster.
func (l *Lazy) options() Options {
	o := l.Options
	o.Brief = !benchmarking()
	return o
}

// folder is where the cluster stays when the tests are done, or empty.
func (l *Lazy) folder() string {
	dir := os.Getenv(KeepVariable)
	if dir == "" && l.Share != "" {
		dir = os.Getenv(ShareVariable)
	}
	return dir
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
