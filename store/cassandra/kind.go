package cassandra

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// kinds measures statements by their kind: the verb and the table, such as "insert mailbox". Safe for
// concurrent use.
type kinds struct {
	// seconds holds the durations of statements that a node answered, by kind.
	seconds *prometheus.HistogramVec
	// failed counts attempts without success, by kind and errorClass.
	failed *prometheus.CounterVec
	// byText holds the observer of each text, a prometheus.Observer. The texts are constants of this package.
	byText sync.Map
}

func newKinds() *kinds {
	return &kinds{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "statement_kind_seconds",
			Help:    "Duration of statements that succeeded, by statement: verb and table, such as insert mailbox; a table of Cassandra is called system.",
			Buckets: []float64{.001, .0025, .01, .025, .1, .5, 2.5},
		}, []string{"statement"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "errors_total",
			Help: "Attempts to execute a statement that failed, by statement (verb and table) and error: timeout, unavailable, overloaded, connection, failure, other.",
		}, []string{"statement", "error"}),
	}
}

// observe counts a statement. A statement that no caller waits for any more is not counted.
func (k *kinds) observe(s Statement) {
	switch {
	case s.Err == nil:
		seconds, known := k.byText.Load(s.CQL)
		if !known {
			seconds, _ = k.byText.LoadOrStore(s.CQL, k.seconds.WithLabelValues(kindOf(s.CQL)))
		}
		seconds.(prometheus.Observer).Observe(s.Took.Seconds())
	case !errors.Is(s.Err, context.Canceled):
		k.failed.WithLabelValues(kindOf(s.CQL), errorClass(s.Err)).Inc()
	}
}

// kindOf returns the verb and the table of a statement, in small letters. The table of a keyspace of Cassandra
// is "system".
func kindOf(cql string) string {
	words := strings.Fields(cql)
	if len(words) == 0 {
		return "other"
	}
	verb := strings.ToLower(words[0])
	before := map[string]string{"select": "FROM", "insert": "INTO", "delete": "FROM", "update": "UPDATE"}[verb]
	i := slices.Index(words, before)
	if i < 0 || i+1 >= len(words) {
		return "other"
	}
	keyspace, table, qualified := strings.Cut(words[i+1], ".")
	switch {
	case !qualified:
		table = keyspace
	case strings.HasPrefix(keyspace, "system"):
		table = "system"
	}
	return verb + " " + table
}

// errorClass returns the label value of an error: timeout (the node or its replicas did not answer in time),
// unavailable (too few replicas), overloaded, connection, failure (replicas failed), other.
func errorClass(err error) string {
	var answer gocql.RequestError
	if errors.As(err, &answer) {
		switch answer.Code() {
		case gocql.ErrCodeReadTimeout, gocql.ErrCodeWriteTimeout:
			return "timeout"
		case gocql.ErrCodeUnavailable:
			return "unavailable"
		case gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping:
			return "overloaded"
		case gocql.ErrCodeReadFailure, gocql.ErrCodeWriteFailure:
			return "failure"
		}
		return "other"
	}
	switch {
	case timedOut(err), errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, gocql.ErrNoConnections), errors.Is(err, gocql.ErrConnectionClosed), errors.Is(err, gocql.ErrNoStreams):
		return "connection"
	}
	return "other"
}
