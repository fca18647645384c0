package store

import (
	"errors"
	"fmt"
)

// The classes of errors. An engine translates every error of its driver or disk into a class and
// wraps the class with the name of the operation.
var (
	// ErrNotFound: the named object surely does not exist.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: nothing was written or read; the caller may retry later.
	ErrUnavailable = errors.New("storage unavailable")
	// ErrOutcomeUnknown: the write may or may not have happened; the caller may repeat the write
	// with the same id.
	ErrOutcomeUnknown = errors.New("outcome of the write unknown")
	// ErrCorrupt: the stored data is damaged. Nothing was changed.
	ErrCorrupt = errors.New("stored data is damaged")
)

// ErrFull is the kind of ErrUnavailable for a full disk: nothing was written. SMTP replies 452
// 4.3.1.
var ErrFull = fmt.Errorf("%w: no space left", ErrUnavailable)

// ErrOverloaded is the kind of ErrUnavailable of a server that has too many statements in flight: nothing was sent.
var ErrOverloaded = fmt.Errorf("%w: too many statements are in flight", ErrUnavailable)

// ErrClosed is the kind of ErrUnavailable after Close.
var ErrClosed = fmt.Errorf("%w: the store is closed", ErrUnavailable)

// ErrClock is the kind of ErrUnavailable for a clock that is not trusted: no id can be made, and no
// age of an id is known. See Clocks.
var ErrClock = fmt.Errorf("%w: the clock cannot be trusted", ErrUnavailable)

// ErrTooOld is the kind of ErrUnavailable for an id so old that background work may treat rows
// under the id as orphans.
var ErrTooOld = fmt.Errorf("%w: storing took too long", ErrUnavailable)

// ErrDisagree is the kind of ErrUnavailable for background work that waits because the servers of a
// cluster differ in a setting that the work depends on.
var ErrDisagree = fmt.Errorf("%w: the servers differ in a setting", ErrUnavailable)
