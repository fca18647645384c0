package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"slices"

	"popelago/adminclient"
	"popelago/app"
	"popelago/config"
)

// The exit codes of all commands. Codes from 64 on are those of sysexits.h. exitMeanings has a row for
// each code.
const (
	exitOK          = 0
	exitProblems    = 1  // the command did its work, and reports problems
	exitUnsure      = 3  // check alone: no problem, but some messages were not judged
	exitUsage       = 64 // EX_USAGE
	exitData        = 65 // EX_DATAERR
	exitNoInput     = 66 // EX_NOINPUT
	exitNoUser      = 67 // EX_NOUSER
	exitUnavailable = 69 // EX_UNAVAILABLE
	exitSoftware    = 70 // EX_SOFTWARE, also for errors without a class
	exitOS          = 71 // EX_OSERR
	exitConflict    = 73 // EX_CANTCREAT
	exitIO          = 74 // EX_IOERR
	exitTemp        = 75 // EX_TEMPFAIL
	exitNoPerm      = 77 // EX_NOPERM
	exitConfig      = 78 // EX_CONFIG
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

// problem returns an error for a command that did its work and reports problems.
func problem(text string) error { return withExit(exitProblems, errors.New(text)) }

// exitCode returns the exit code of a command that ended with an error; nil: 0.
func exitCode(err error) int {
	var own *exitError
	var usage *usageError
	var unsure *unsureError
	var refusal *adminclient.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &unsure):
		return exitUnsure
	case errors.As(err, &refusal):
		return exitOfStatus(refusal.Status)
	case errors.Is(err, adminclient.ErrNotPermitted), errors.Is(err, app.ErrNotAllowed):
		return exitNoPerm
	case errors.Is(err, adminclient.ErrNoServer), errors.Is(err, adminclient.ErrNoAnswer), errors.Is(err, io.ErrUnexpectedEOF):
		return exitUnavailable
	case isSettingError(err):
		return exitConfig
	case errors.Is(err, app.ErrListen):
		return exitOS
	case errors.Is(err, app.ErrFull):
		return exitIO
	case isTemporary(err):
		return exitTemp
	}
	return exitOfFile(err)
}

// isConfigError reports whether an error is about the configuration.
func isConfigError(err error) bool {
	var settings *config.Error
	return errors.As(err, &settings)
}

// isSettingError reports whether an administrator must change the configuration, a file that it names,
// the release or the schema before a repetition can succeed.
func isSettingError(err error) bool {
	var setting *app.SettingError
	return isConfigError(err) || errors.As(err, &setting) || isAny(err, config.ErrNotPrivate,
		app.ErrSchemaNotApplied, app.ErrSchemaNewer, app.ErrSchemaLayout, app.ErrOtherProduct, app.ErrNewerFormat)
}

// isTemporary reports whether a repetition may succeed without any change.
func isTemporary(err error) bool {
	return isAny(err, app.ErrUnavailable, app.ErrLocked, app.ErrNodesDown, app.ErrMixedReleases, app.ErrSchemaUnfinished,
		context.DeadlineExceeded)
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// exitOfFile returns the exit code of an error about a file of the command line or the output.
func exitOfFile(err error) int {
	var file *fs.PathError
	switch {
	case !errors.As(err, &file):
		return exitSoftware
	case file.Op == "write":
		return exitIO
	}
	return exitNoInput
}

// exitOfStatus returns the exit code for a refusal by the server.
func exitOfStatus(status int) int {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return exitData
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitNoPerm
	case http.StatusNotFound:
		return exitNoUser
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitConflict
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitTemp
	case http.StatusInsufficientStorage:
		return exitIO
	}
	if status >= http.StatusInternalServerError {
		return exitSoftware
	}
	return exitUnavailable // not a server of this API
}
