package store

import (
	"errors"
	"fmt"
)

// The classes of errors. An engine translates everything its driver or disk says into one of
// these and wraps it with what was being done.
var (
	// ErrNotFound: the thing named does not exist (and the engine is sure of it).
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: nothing was written or read; try again later.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrOutcomeUnknown: the write may or may not have happened; repeat it with the same id.
	ErrOutcomeUnknown = errors.New("outcome of the write unknown")
	// ErrCorrupt: what is stored is damaged. Nothing was changed.
	ErrCorrupt = errors.New("stored data is damaged")
)

// ErrFull is the kind of ErrUnavailable where the disk has no room: nothing was written.
// SMTP answers 452 4.3.1.
var ErrFull = fmt.Errorf("%w: no space left", ErrUnavailable)

// ErrClosed is the kind of ErrUnavailable after Close.
var ErrClosed = fmt.Errorf("%w: the store is closed", ErrUnavailable)

// ErrClock is the kind of ErrUnavailable where the clock of this machine is too far from the
// others' to make ids or to tell the age of one.
var ErrClock = fmt.Errorf("%w: the clock cannot be trusted", ErrUnavailable)
