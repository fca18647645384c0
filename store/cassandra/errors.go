package cassandra

import (
	"context"
	"errors"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// Errors of the configuration that the cluster shows.
var (
	// ErrUnknownDatacenter: the cluster has no datacenter of a name. The text lists its datacenters.
	ErrUnknownDatacenter = errors.New("cassandra: the cluster has no datacenter")
	// ErrNoReplication: a keyspace cannot be made with the configured replicas.
	ErrNoReplication = errors.New("cassandra: no keyspace can be made")
	// ErrNoLocalReplica: the keyspace has no replica in the local datacenter. The text lists its
	// replicas.
	ErrNoLocalReplica = errors.New("cassandra: no replica in the local datacenter")
	// ErrSignIn: a node demands a user and password, or refuses the configured ones.
	ErrSignIn = errors.New("cassandra: sign-in refused")
	// ErrNotAllowed: the user of the cluster lacks permissions. The text lists them, and the statements
	// that grant them.
	ErrNotAllowed = errors.New("cassandra: the user of the cluster lacks permissions")
	// ErrNoContact: no contact point can be reached and signed in to. A store.ErrUnavailable.
	ErrNoContact = fmt.Errorf("cassandra: no contact point can be used: %w", store.ErrUnavailable)
)

// errNoAnswer: no contact point has answered yet.
var errNoAnswer = errors.New("no answer yet")

// readError translates the error of a read.
func readError(what string, err error) error {
	if err == nil {
		return nil
	}
	var damaged gocql.UnmarshalError
	switch {
	case errors.As(err, &damaged):
		return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrCorrupt, err)
	case errors.Is(err, gocql.ErrSessionClosed):
		return fmt.Errorf("cassandra: %s: %w", what, store.ErrClosed)
	}
	return fmt.Errorf("cassandra: %s: %w: %w", what, store.ErrUnavailable, err)
}

// writeError translates the error of the last attempt at a write. unknown is set if an earlier
// attempt may have reached a replica.
func writeError(what string, err error, unknown bool) error {
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

// mayBeWritten reports whether a write that failed with err may have reached a replica. An unknown error
// may have.
func mayBeWritten(err error) bool {
	var unsent gocql.MarshalError
	switch {
	case errors.Is(err, gocql.ErrNoConnections), errors.Is(err, gocql.ErrNoStreams),
		errors.Is(err, gocql.ErrSessionClosed), errors.As(err, &unsent):
		return false
	}
	var answer gocql.RequestError
	if !errors.As(err, &answer) {
		return true // no answer: a time-out, a lost connection, an ended context
	}
	return !refused(answer)
}

// refused reports whether a node refused a statement before executing it.
func refused(answer gocql.RequestError) bool {
	switch answer.Code() {
	case gocql.ErrCodeUnavailable, gocql.ErrCodeOverloaded, gocql.ErrCodeBootstrapping,
		gocql.ErrCodeProtocol, gocql.ErrCodeCredentials, gocql.ErrCodeSyntax, gocql.ErrCodeUnauthorized,
		gocql.ErrCodeInvalid, gocql.ErrCodeConfig, gocql.ErrCodeUnprepared:
		return true
	}
	return false
}

// lacksReplicas reports whether a node refused a statement because too few replicas are alive. Every server gets this answer.
func lacksReplicas(err error) bool {
	var answer gocql.RequestError
	return errors.As(err, &answer) && answer.Code() == gocql.ErrCodeUnavailable
}

// hopeless reports whether another node would answer the same error.
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

// tooManyTombstones reports whether a read may have failed because replicas had to skip too many
// tombstones. Protocol version 4 does not tell the reason of a failure.
func tooManyTombstones(err error) bool {
	var failure *gocql.RequestErrReadFailure
	return errors.As(err, &failure)
}

// unauthorized reports whether a statement failed because the user lacks a permission.
func unauthorized(err error) bool {
	var answer gocql.RequestError
	return errors.As(err, &answer) && answer.Code() == gocql.ErrCodeUnauthorized
}
