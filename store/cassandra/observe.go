package cassandra

import (
	"context"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
)

// Statement reports one attempt to execute a statement or a batch.
type Statement = driver.Attempt

// observer passes the driver's reports to itself.
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

// reportTo returns an observer that reports each attempt to l and passes it on to next. next may
// be nil.
func reportTo(l *limit.Limiter, next func(Statement)) func(Statement) {
	return func(s Statement) {
		l.Learn(limit.Result{Host: s.Host, Local: s.Consistency == gocql.LocalQuorum.String(), Took: s.Took, Err: s.Err})
		if next != nil {
			next(s)
		}
	}
}
