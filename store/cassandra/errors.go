package cassandra

import (
	"context"
	"errors"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// readError translates what a read failed with.
func (s *engine) readError(what string, err error) error {
	var damaged gocql.UnmarshalError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &damaged):
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrCorrupt, err)
	case errors.Is(err, gocql.ErrSessionClosed):
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	}
	return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
}

// writeError translates what a write failed with at its last attempt. unknown says that an
// earlier attempt may have reached a replica.
func (s *engine) writeError(what string, err error, unknown bool) error {
	switch {
	case err == nil:
		return nil
	case unknown || mayBeWritten(err):
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrOutcomeUnknown, err)
	case errors.Is(err, gocql.ErrSessionClosed):
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	}
	return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
}

// mayBeWritten reports whether a write that failed with err may have reached a replica. What
// it does not know may have.
func mayBeWritten(err error) bool {
	var unsent gocql.MarshalError
	switch {
	case errors.Is(err, gocql.ErrNoConnections), errors.Is(err, gocql.ErrNoStreams),
		errors.Is(err, gocql.ErrSessionClosed), errors.As(err, &unsent):
		return false
	}
	var answer gocql.RequestError
	if !errors.As(err, &answer) {
		return true // no answer at all: a time-out, a lost connection, an ended context
	}
	return !refused(answer)
}

// refused reports whether a node answered a statement without doing anything.
func refused(answer gocql.RequestError) bool {
	switch answer.Code() {
	case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping,
		gocql.ErrCodeProtocol, gocql.ErrCodeCredentials, gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized,
		gocql.ErrCodeInvalid, gocql.ErrCodeConfig, gocql.ErrCodeUnprepared:
		return true
	}
	return false
}

// hopeless reports whether another node would answer err, too.
func hopeless(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var answer gocql.RequestError
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Code() {
	case gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized, gocql.ErrCodeInvalid, gocql.ErrCodeConfig,
		gocql.ErrCodeReadFailure:
		return true
	}
	return false
}

// tooManyTombstones reports whether a read failed because of what its replicas had to skip.
// Protocol version 4 does not tell the reason of a failure, so it may also be another one.
func tooManyTombstones(err error) bool {
	var failure *gocql.RequestErrReadFailure
	return errors.As(err, &failure)
}
