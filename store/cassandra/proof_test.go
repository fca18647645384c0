package cassandra

import (
	"context"
	"errors"
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// Errors that keep some partitions from being read do not end a run, unless no partition can be read;
// time-outs end the run after a while, and errors that say nothing about replicas at once.
func TestTally(t *testing.T) {
	away := fmt.Errorf("cassandra: x: %w: %w", store.ErrUnavailable, store.ErrOverloaded)
	slow := fmt.Errorf("cassandra: x: %w: %w", store.ErrUnavailable, gocql.ErrTimeoutNoResponse)
	gone := fmt.Errorf("cassandra: x: %w: %w", store.ErrUnavailable, gocql.ErrNoConnections)
	if !blocks(away) || !blocks(slow) || blocks(gone) || blocks(store.ErrCorrupt) {
		t.Error("blocks is wrong")
	}
	var y tally
	if _, err := y.proof(t.Context(), statement{}, gone); !errors.Is(err, gocql.ErrNoConnections) {
		t.Errorf("no node at all: %v", err)
	}
	if o, err := y.proof(t.Context(), statement{}, nil); o != nil || err != nil {
		t.Errorf("a proof: %v, %v", o, err)
	}
	for n := 1; ; n++ {
		o, err := y.proof(t.Context(), statement{}, slow)
		if o == nil {
			t.Fatalf("time-out %d: %v", n, err)
		}
		if errors.Is(err, errTired) {
			if n != maxSlow {
				t.Errorf("tired after %d time-outs, want %d", n, maxSlow)
			}
			break
		}
	}
	if err := y.verdict(); err != nil {
		t.Errorf("despite a proof: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if o, err := y.proof(ended, statement{}, slow); o != nil || err == nil {
		t.Errorf("the end of the context is taken for an obstacle: %v, %v", o, err)
	}
}
