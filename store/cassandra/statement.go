package cassandra

import (
	"context"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/limit"
)

// statement holds CQL, its values, and how to execute it. All statements are idempotent.
type statement struct {
	cql         string
	values      []any
	consistency gocql.Consistency // or whenSent
	// what names the purpose for errors in one phrase, such as "add message X".
	what string
	// impatient statements are not tried at another node after a time-out: the caller then asks
	// for less.
	impatient bool
	// background statements make way for mail.
	background bool
	// early statements have nobody waiting for them yet, see store.Early.
	early bool
}

// class returns the class of a statement for the limiter. Statements at ALL are background work.
func (st statement) class() limit.Class {
	if st.early {
		return limit.Early
	}
	if st.background || st.consistency == gocql.All {
		return limit.Background
	}
	return limit.Foreground
}

// retry decides about retries of one execution: other nodes, up to limit of them. It records whether any
// attempt may have written something; the error of the last attempt alone does not tell.
type retry struct {
	limit     int
	impatient bool
	all       bool // at ALL: another node needs the same replicas
	unknown   atomic.Bool
}

// another reports whether another node is tried after an attempt that failed, see driver.Statement.Retry.
func (a *retry) another(ctx context.Context, attempts int, err error) bool {
	if mayBeWritten(err) {
		a.unknown.Store(true)
	}
	if hopeless(err) || a.impatient && timedOut(err) || a.all && blocks(err) {
		return false
	}
	return attempts <= a.limit && ctx.Err() == nil
}
