package store

import "time"

// Endurance decides how long a run goes on behind parts of its work that fail. A few nodes of a large cluster that are down
// concern thousands of parts, which fail at once: the parts behind them may succeed. A store that has failed as a whole lets
// no part succeed, or lets each part wait. The zero value begins a run. Not safe for concurrent use.
type Endurance struct {
	succeeded    bool
	failed, slow int
}

const (
	// endures is the count of failures without a success, or of slow failures, that ends a run.
	endures = 100
	// slowFailure is the time from which on a failure counts as slow.
	slowFailure = time.Second
)

// Note notes the result of a part, with the time that the part took if that says how long a failure takes. Note reports
// whether the run goes on.
func (e *Endurance) Note(err error, took time.Duration) bool {
	if err == nil {
		e.succeeded = true
		return true
	}
	e.failed++
	if took >= slowFailure {
		e.slow++
	}
	return e.slow < endures && (e.succeeded || e.failed < endures)
}
