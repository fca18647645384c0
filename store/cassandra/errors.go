package cassandra

import (
	"context"
	"errors"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// What may be wrong with the configuration, seen from the cluster.
var (
	// ErrUnknownDatacenter: it has none of that name. The text goes on with those it has.
	ErrUnknownDatacenter = errors.New("cassandra: the cluster has no datacenter")
	// ErrNoReplication: there are no replicas, or impossible ones, to make a keyspace with.
	ErrNoReplication = errors.New("cassandra: no keyspace can be made")
	// ErrNoLocalReplica: the keyspace is not kept in the local datacenter. The text goes on with
	// where it is.
	ErrNoLocalReplica = errors.New("cassandra: no replica in the local datacenter")
	// ErrSignIn: a node wants a user or a password, or others.
	ErrSignIn = errors.New("cassandra: sign-in refused")
	// ErrNotAllowed: the user of the cluster lacks a permission. The text goes on with which, and
	// what to execute.
	ErrNotAllowed = errors.New("cassandra: the user of the cluster lacks permissions")
	// ErrNoContact: no contact point can be reached, or lets us in. It is a store.ErrUnavailable.
	ErrNoContact = fmt.Errorf("cassandra: no contact point can be used: %w", store.ErrUnavailable)
)

// errNoAnswer says that none of the contact points has answered yet.
var errNoAnswer = errors.New("no answer yet")

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
