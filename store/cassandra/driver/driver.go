// Package driver is the narrow interface between the Cassandra engine and a cluster. The engine sends every
// statement through a Session. The real implementation uses the driver for Go; a simulated cluster can stand
// in its place.
//
// Values and destinations have the types of the driver for Go: gocql.UUID for uuid and timeuuid, int for int,
// int64 for bigint, []byte for blob, string for text, slices and maps for collections, nil for null, and
// gocql.UnsetValue for a value that is left as it is. A destination may be a pointer to a pointer, which
// becomes nil for null.
//
// Errors are errors of the driver for Go: a gocql.RequestError with the code of the native protocol if a node
// refused a statement, gocql.ErrTimeoutNoResponse if no node answered in time, gocql.ErrNoConnections if no
// node can be reached, gocql.ErrSessionClosed after Close.
package driver

import (
	"context"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Cluster opens sessions.
type Cluster interface {
	// Open opens a session. It fails if no node can be used.
	Open(ctx context.Context, o Options) (Session, error)
}

// Options holds the choices of a session.
type Options struct {
	// Hosts lists contact points, with or without a port.
	Hosts []string
	// Datacenter limits the session to the nodes of one datacenter. Empty: the session leads to one node
	// only, the contact point.
	Datacenter string
	// Rack is asked first. May be empty.
	Rack string
	// Keyspace is the keyspace of tables without one. Empty: every statement names a keyspace.
	Keyspace string
	// Observe, if not nil, is called after every attempt, by several goroutines at the same time.
	Observe func(Attempt)
}

// Session executes statements. Safe for concurrent use.
type Session interface {
	// Execute executes a statement or a batch at one node after the other, as Statement.Retry decides, and
	// returns one page of rows; the rows of a statement that writes are empty.
	Execute(ctx context.Context, st *Statement) (Rows, error)
	// Nodes lists the nodes that the session knows, those of other datacenters too.
	Nodes() []Node
	// Close ends the session. Statements in flight fail.
	Close()
	// Closed reports whether Close was called.
	Closed() bool
}

// Node is a node as a session sees it.
type Node struct {
	// ID is the host id.
	ID string
	// Address is the IP address that the session connects to.
	Address string
	// Internal is the IP address at which other nodes reach the node.
	Internal string
	// Datacenter is the name of its datacenter.
	Datacenter string
	// Up is set while the session has connections to the node.
	Up bool
}

// Statement is a statement with its values, or a batch of them, and how to execute it.
type Statement struct {
	CQL    string
	Values []any
	// Batch holds the values of each statement of an unlogged batch in one partition; Values is not used
	// then. Nil without a batch.
	Batch [][]any
	// Consistency is the consistency level.
	Consistency gocql.Consistency
	// Once is set for a statement that must not be executed twice.
	Once bool
	// PageSize is the highest count of rows to return; zero: the default.
	PageSize int
	// Page is the position of the page; nil: the first page.
	Page []byte
	// Node is the id of the only node to ask; empty: any node of the session, replicas first.
	Node string
	// Retry decides after each failed attempt, counted from 1, whether another node is tried. Nil: none is.
	Retry func(ctx context.Context, attempts int, err error) bool
	// Choice restricts the nodes; nil: no restriction.
	Choice *Choice
	// Quiet statements are neither observed nor traced.
	Quiet bool
}

// Rows is a page of rows.
type Rows interface {
	// Len is the count of rows.
	Len() int
	// Page is the position of the next page; empty after the last page.
	Page() []byte
	// Next moves to the next row, at first to the first row. It returns false after the last row.
	Next() bool
	// Scan copies the columns of the row. Each Next is followed by at most one Scan.
	Scan(dest ...any) error
	// Close ends the reading and returns its first error.
	Close() error
}

// Attempt reports one attempt to execute a statement or a batch.
type Attempt struct {
	// CQL is the text; of a batch, the text of the first statement.
	CQL string
	// Values holds the bound values of each statement of a batch, or of the one statement. They must
	// not be changed.
	Values [][]any
	// Idempotent is set if the driver may repeat the statement.
	Idempotent bool
	// Batch is the count of statements in a batch; zero without a batch.
	Batch int
	// Consistency is the consistency level, such as LOCAL_QUORUM.
	Consistency string
	// Serial is the serial consistency; it must be empty.
	Serial string
	// Attempt counts from zero.
	Attempt int
	// Host is the address of the node.
	Host string
	// Rows is the count of rows returned.
	Rows int
	// Took is the time from the request to the answer.
	Took time.Duration
	// Err is the error of the attempt.
	Err error
}

// Choice records the nodes asked by both calls of a hedged read. Safe for concurrent use.
type Choice struct {
	tried       *tried
	untriedOnly bool
}

// tried holds addresses of nodes.
type tried struct {
	mu    sync.Mutex
	hosts []string
}

// NewChoices returns the choices of the first and of the second call of a hedged read: the second call does
// not ask the nodes of the first call.
func NewChoices() (first, second *Choice) {
	t := &tried{}
	return &Choice{tried: t}, &Choice{tried: t, untriedOnly: true}
}

// Admits reports whether the call may ask a node, by address, and records the node. A nil Choice admits every
// node.
func (c *Choice) Admits(host string) bool {
	if c == nil {
		return true
	}
	c.tried.mu.Lock()
	defer c.tried.mu.Unlock()
	if !slices.Contains(c.tried.hosts, host) {
		c.tried.hosts = append(c.tried.hosts, host)
		return true
	}
	return !c.untriedOnly
}
