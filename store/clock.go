package store

import (
	"context"
	"time"
)

// Clocks is what an engine knows about the clock of this machine. Message ids are made of the
// clock, and tell what is old enough to be taken away: a clock that was wrong once would lose mail.
//
// While the clock cannot be trusted no id is made, no address or domain is changed, nothing is
// read that depends on the age of ids, and background work waits. Everything else goes on.
type Clocks interface {
	// Clock returns nil if the clock of this machine can be trusted; otherwise ErrClock with what
	// is wrong. It is cheap: it compares with nothing that is not in memory.
	Clock() error

	// CompareClock is Clock after a comparison with the clocks of others, where there are others
	// and the last comparison was not just now. A machine that was suspended does not notice by
	// itself that its clock stood still. Errors: ErrClock.
	CompareClock(ctx context.Context) error

	// ClockState tells about the clock.
	ClockState() ClockState

	// TrustClock says for an operator that the clock is right: the engine forgets what it
	// remembered of later times, and judges the clock anew. It cannot overrule the clocks of others.
	// Errors: ErrClock if the clock cannot be trusted for all that; ErrUnavailable,
	// ErrOutcomeUnknown: it may be repeated.
	TrustClock(ctx context.Context) error
}

// ClockState tells about the clock of this machine.
type ClockState struct {
	// Now is the time by that clock.
	Now time.Time
	// Ahead is how far the clock is ahead of what it was compared with last; zero if it was
	// compared with nothing.
	Ahead time.Duration
	// High is the latest time that the engine remembers to have passed, also over restarts; zero:
	// none.
	High time.Time
	// Err is what Clock returns.
	Err error
}

// How far a clock may be off. The in-flight window of background work rests on MaxClockSkew.
const (
	ClockWarning = 30 * time.Second // beyond it operators are told
	MaxClockSkew = 5 * time.Minute  // beyond it a clock cannot be trusted
)
