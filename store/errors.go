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

// ErrClock is the kind of ErrUnavailable where the clock of this machine cannot be trusted, so that
// no id can be made, and no age of one be told. See Clocks.
var ErrClock = fmt.Errorf("%w: the clock cannot be trusted", ErrUnavailable)

// ErrTooOld is the kind of ErrUnavailable where so much time has passed since an id was made that
// rows under it might be taken for left over.
var ErrTooOld = fmt.Errorf("%w: storing took too long", ErrUnavailable)

// ErrDisagree is the kind of ErrUnavailable where background work waits because the servers of a
// cluster differ in a setting that it rests on.
var ErrDisagree = fmt.Errorf("%w: the servers differ in a setting", ErrUnavailable)
