package simulation

import (
	"context"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// link is the way of a server to the cluster. The death of the server ends the link: whatever the process still
// does reaches no node, and no answer reaches the process.
type link struct {
	cluster driver.Cluster
	defect  Defect
	dead    atomic.Bool
	// statements counts the statements sent, changed the statements that the defect changed.
	statements, changed *atomic.Int64
}

// Open implements driver.Cluster.
func (l *link) Open(ctx context.Context, o driver.Options) (driver.Session, error) {
	if l.dead.Load() {
		return nil, gocql.ErrNoConnections
	}
	s, err := l.cluster.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return linked{s, l}, nil
}

// linked is a session through a link.
type linked struct {
	driver.Session
	link *link
}

// Execute implements driver.Session.
func (s linked) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	if s.link.dead.Load() {
		return nil, gocql.ErrNoConnections
	}
	s.link.statements.Add(1)
	if s.link.defect != nil {
		var skipped bool
		if st, skipped = s.link.spoil(st); skipped {
			return noRows{}, nil
		}
	}
	rows, err := s.Session.Execute(ctx, st)
	if s.link.dead.Load() {
		return nil, gocql.ErrTimeoutNoResponse
	}
	return rows, err
}

// spoil applies the defect to a statement.
func (l *link) spoil(st *driver.Statement) (changed *driver.Statement, skipped bool) {
	other, does := l.defect(*st)
	if does != Keep {
		l.changed.Add(1)
	}
	return &other, does == Skip
}

// noRows is the result of a statement that a defect skips.
type noRows struct{}

func (noRows) Len() int          { return 0 }
func (noRows) Page() []byte      { return nil }
func (noRows) Next() bool        { return false }
func (noRows) Scan(...any) error { return gocql.ErrNotFound }
func (noRows) Close() error      { return nil }
