package cassandra

import (
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/limit"
)

// The limiter learns from each attempt at LOCAL_QUORUM, and each attempt is passed on.
func TestAttemptsAreReportedToTheLimiter(t *testing.T) {
	for level, want := range map[string]int{"LOCAL_QUORUM": 75, "ALL": 100} {
		l := limit.New(limit.Config{Most: 100})
		passed := 0
		report := reportTo(l, func(Statement) { passed++ })
		report(Statement{Consistency: level, Host: "10.0.0.1", Took: time.Millisecond, Err: answer(gocql.ErrCodeWriteTimeout)})
		if got := l.State().Limit; got != want || passed != 1 {
			t.Errorf("%s: the limit is %d, want %d; passed on %d times", level, got, want, passed)
		}
	}
	reportTo(limit.New(limit.Config{Most: 1}), nil)(Statement{})
}
