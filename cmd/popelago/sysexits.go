package main

import (
	"errors"

	"popelago/config"
)

// Exit codes of sysexits.h, for commands that mailers run.
const (
	exUsage       = 64
	exDataErr     = 65
	exNoInput     = 66
	exNoUser      = 67
	exUnavailable = 69
	exTempFail    = 75
	exNoPerm      = 77
	exConfig      = 78
)

// exitError is an error with an exit code of its own.
type exitError struct {
	error
	code int
}

// Unwrap returns the error without the code.
func (e *exitError) Unwrap() error { return e.error }

// withExit gives an error an exit code. Nil stays nil.
func withExit(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{err, code}
}

// exitCode returns the exit code of an error; ordinary, if the error has no code of its own.
func exitCode(err error, ordinary int) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return ordinary
}

// isConfigError reports whether an error is about the configuration.
func isConfigError(err error) bool {
	var settings *config.Error
	return errors.As(err, &settings)
}
