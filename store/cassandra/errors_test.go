package cassandra

import (
	"context"
	"errors"
	"fmt"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// answer is a node's answer with an error, by its code alone.
type answer int

func (a answer) Code() int       { return int(a) }
func (a answer) Message() string { return fmt.Sprintf("code %#x", int(a)) }
func (a answer) Error() string   { return a.Message() }

func TestErrorClasses(t *testing.T) {
	for _, c := range []struct {
		err         error
		write, read error
	}{
		{answer(gocql.ErrCodeUnavailable), store.ErrUnavailable, store.ErrUnavailable},
		{answer(gocql.ErrCodeOverloaded), store.ErrUnavailable, store.ErrUnavailable},
		{answer(gocql.ErrCodeBootstrapping), store.ErrUnavailable, store.ErrUnavailable},
		{answer(gocql.ErrCodeInvalid), store.ErrUnavailable, store.ErrUnavailable},
		{answer(gocql.ErrCodeWriteTimeout), store.ErrOutcomeUnknown, store.ErrUnavailable},
		{answer(gocql.ErrCodeWriteFailure), store.ErrOutcomeUnknown, store.ErrUnavailable},
		{answer(gocql.ErrCodeServer), store.ErrOutcomeUnknown, store.ErrUnavailable},
		{answer(gocql.ErrCodeReadTimeout), store.ErrOutcomeUnknown, store.ErrUnavailable},
		{gocql.ErrNoConnections, store.ErrUnavailable, store.ErrUnavailable},
		{gocql.ErrNoStreams, store.ErrUnavailable, store.ErrUnavailable},
		{gocql.ErrTimeoutNoResponse, store.ErrOutcomeUnknown, store.ErrUnavailable},
		{gocql.ErrConnectionClosed, store.ErrOutcomeUnknown, store.ErrUnavailable},
		{gocql.ErrSessionClosed, store.ErrClosed, store.ErrClosed},
		{gocql.MarshalError("x"), store.ErrUnavailable, store.ErrUnavailable},
		{gocql.UnmarshalError("x"), store.ErrOutcomeUnknown, store.ErrCorrupt},
		{context.DeadlineExceeded, store.ErrOutcomeUnknown, store.ErrUnavailable},
		{context.Canceled, store.ErrOutcomeUnknown, store.ErrUnavailable},
		{errors.New("anything else"), store.ErrOutcomeUnknown, store.ErrUnavailable},
	} {
		if got := writeError("x", c.err, false); !errors.Is(got, c.write) {
			t.Errorf("a write that failed with %v: %v, want %v", c.err, got, c.write)
		}
		if got := readError("x", c.err); !errors.Is(got, c.read) {
			t.Errorf("a read that failed with %v: %v, want %v", c.err, got, c.read)
		}
	}
	if writeError("x", nil, true) != nil || readError("x", nil) != nil {
		t.Error("success became an error")
	}
}

// A refusal by the second node does not make the outcome of the first attempt known.
func TestEarlierAttemptsCount(t *testing.T) {
	a := &retry{limit: 2}
	if !a.another(t.Context(), 1, gocql.ErrTimeoutNoResponse) {
		t.Error("no other node is tried after a time-out")
	}
	if !a.another(t.Context(), 2, answer(gocql.ErrCodeUnavailable)) {
		t.Error("no other node is tried after a refusal")
	}
	if a.another(t.Context(), 3, gocql.ErrTimeoutNoResponse) {
		t.Error("more nodes are tried than the limit allows")
	}
	if err := writeError("x", answer(gocql.ErrCodeUnavailable), a.unknown.Load()); !errors.Is(err, store.ErrOutcomeUnknown) {
		t.Errorf("%v, want %v", err, store.ErrOutcomeUnknown)
	}
	if a.another(t.Context(), 1, answer(gocql.ErrCodeInvalid)) {
		t.Error("another node is tried after an invalid statement")
	}
}
