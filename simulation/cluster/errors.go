package cluster

import (
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// refusal is the error of a node, a gocql.RequestError. Unwrap returns the error of the driver for Go with
// the details; its code cannot be set from outside of the driver.
type refusal struct {
	code    int
	text    string
	details error
}

func (e *refusal) Code() int       { return e.code }
func (e *refusal) Message() string { return e.text }
func (e *refusal) Error() string   { return e.text }
func (e *refusal) Unwrap() error   { return e.details }

// invalid is the error of a statement that no node executes.
func invalid(format string, args ...any) error {
	return &refusal{gocql.ErrCodeInvalid, fmt.Sprintf(format, args...), &gocql.RequestErrInvalid{}}
}

func unavailable(level gocql.Consistency, required, alive int) error {
	return &refusal{
		gocql.ErrCodeUnavailable, fmt.Sprintf("Cannot achieve consistency level %s", level),
		&gocql.RequestErrUnavailable{Consistency: level, Required: required, Alive: alive},
	}
}

func writeTimeout(level gocql.Consistency, received, required int, kind string) error {
	return &refusal{
		gocql.ErrCodeWriteTimeout, fmt.Sprintf("Operation timed out - received only %d responses.", received),
		&gocql.RequestErrWriteTimeout{Consistency: level, Received: received, BlockFor: required, WriteType: kind},
	}
}

func readTimeout(level gocql.Consistency, received, required int) error {
	return &refusal{
		gocql.ErrCodeReadTimeout, fmt.Sprintf("Operation timed out - received only %d responses.", received),
		&gocql.RequestErrReadTimeout{Consistency: level, Received: received, BlockFor: required},
	}
}

func readFailure(level gocql.Consistency, received, required, failures int) error {
	return &refusal{
		gocql.ErrCodeReadFailure, fmt.Sprintf("Operation failed - received %d responses and %d failures", received, failures),
		&gocql.RequestErrReadFailure{Consistency: level, Received: received, BlockFor: required, NumFailures: failures},
	}
}

func writeFailure(level gocql.Consistency, received, required, failures int, kind string) error {
	return &refusal{
		gocql.ErrCodeWriteFailure, fmt.Sprintf("Operation failed - received %d responses and %d failures", received, failures),
		&gocql.RequestErrWriteFailure{Consistency: level, Received: received, BlockFor: required, NumFailures: failures, WriteType: kind},
	}
}

func overloaded() error {
	return &refusal{gocql.ErrCodeOverloaded, "Server is in overloaded state", &gocql.RequestErrOverloaded{}}
}
