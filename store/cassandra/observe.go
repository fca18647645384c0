package cassandra

import (
	"context"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Statement tells of one attempt to execute a statement or a batch.
type Statement struct {
	// CQL is the text; of a batch, that of its first statement.
	CQL string
	// Values are those bound to it; of a batch, those of each of its statements, one after the
	// other. They must not be changed.
	Values [][]any
	// Idempotent says that the driver may repeat it.
	Idempotent bool
	// Batch is the count of statements in a batch; zero if it was none.
	Batch int
	// Consistency is what was asked for, such as LOCAL_QUORUM.
	Consistency string
	// Serial is the serial consistency that was set; empty if none was, as it must be.
	Serial string
	// Attempt counts from zero.
	Attempt int
	// Host is the address of the node that was asked.
	Host string
	// Rows is how many rows came back.
	Rows int
	// Took is the time from the call to the answer.
	Took time.Duration
	// Err is the error of this attempt.
	Err error
}

// observer calls itself with what the driver reports.
type observer func(Statement)

// ObserveQuery implements gocql.QueryObserver.
func (o observer) ObserveQuery(_ context.Context, q gocql.ObservedQuery) {
	s := Statement{CQL: q.Statement, Values: [][]any{q.Values}, Attempt: q.Attempt, Rows: q.Rows, Took: q.End.Sub(q.Start), Err: q.Err}
	if q.Host != nil {
		s.Host = q.Host.ConnectAddress().String()
	}
	if q.Query != nil {
		s.Idempotent = q.Query.IsIdempotent()
		s.Consistency = q.Query.GetConsistency().String()
		if serial, set := q.Query.GetSerialConsistency(); set {
			s.Serial = serial.String()
		}
	}
	o(s)
}

// ObserveBatch implements gocql.BatchObserver.
func (o observer) ObserveBatch(_ context.Context, b gocql.ObservedBatch) {
	s := Statement{Batch: len(b.Statements), Values: b.Values, Attempt: b.Attempt, Took: b.End.Sub(b.Start), Err: b.Err}
	if len(b.Statements) > 0 {
		s.CQL = b.Statements[0]
	}
	if b.Host != nil {
		s.Host = b.Host.ConnectAddress().String()
	}
	if b.Batch != nil {
		s.Idempotent = b.Batch.IsIdempotent()
		s.Consistency = b.Batch.GetConsistency().String()
		if serial, set := b.Batch.GetSerialConsistency(); set {
			s.Serial = serial.String()
		}
	}
	o(s)
}
