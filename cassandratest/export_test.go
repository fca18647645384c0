package cassandratest

import (
	"context"
	"os"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// End does the work of Main after the tests.
func (l *Lazy) End() { l.end() }

// TakeFolder takes the folder of a kept cluster, alone or shared. ready admits further processes.
func TakeFolder(dir, name string, share bool) (path string, alone bool, ready func() error, leave func(), err error) {
	f, err := takeFolder(dir, name, share)
	return f.path, f.alone, f.ready, f.leave, err
}

// CloseOnExec is called before the start of a detached node, CoarseTimers before the start of a brief node.
var (
	CloseOnExec  = closeOnExec
	CoarseTimers = coarseTimers
)

// Changed changes settings. Streaming and Replacing are settings and argument of a node in place of a
// lost node.
var (
	Changed   = changed
	Streaming = streaming
	Replacing = replacing
)

// Archive makes an archive of Java's classes once, and WithArchive adds an option for an archive to
// the arguments of a node.
var (
	Archive     = archive
	WithArchive = withArchive
)

// NodeOf returns a node that was never started, with a folder and the arguments of Java.
func NodeOf(dir string, args []string) *Node {
	return &Node{Name: "dc1-1", dir: dir, java: "java", args: args}
}

// Placed returns an error that names a running node whose tokens the first node does not know.
func (c *Cluster) Placed(ctx context.Context, s *gocql.Session) error {
	return c.placed(ctx, c.Nodes[0], s)
}

// RunningAt returns a node with an address, which counts as running.
func RunningAt(address string) *Node {
	return &Node{Name: "dc1-2", Datacenter: "dc1", Address: address, pid: os.Getpid(), done: make(chan struct{})}
}
