package store

import (
	"context"
	"time"
)

// Clocks reports whether the clock of the local machine is trusted. Message ids are made from the
// clock, and the age of ids decides about removals: a wrong clock would lose mail.
//
// While the clock is not trusted the engine makes no id, changes no address and no domain, and
// reads nothing that depends on the age of ids. Background work waits. All else continues.
type Clocks interface {
	// Clock returns nil if the clock is trusted, and ErrClock with the reason if not. Clock is
	// cheap: the comparison uses values in memory alone.
	Clock() error

	// CompareClock compares the clock with the clocks of the cluster, unless the last comparison is
	// recent, and returns the result of Clock. A suspended machine does not notice by itself that
	// its clock stood still. Errors: ErrClock.
	CompareClock(ctx context.Context) error
}

// ClockKeeper shows the clock to an operator and accepts the operator's word.
type ClockKeeper interface {
	// ClockState returns the state of the clock.
	ClockState() ClockState

	// TrustClock declares for an operator that the clock is right. The engine forgets all later
	// times that the engine remembered, and judges the clock anew. TrustClock cannot overrule the
	// clocks of the cluster. Errors: ErrClock if the clock is still not trusted; ErrUnavailable,
	// ErrOutcomeUnknown: TrustClock may be repeated.
	TrustClock(ctx context.Context) error
}

// ClockState describes the clock of the local machine.
type ClockState struct {
	// Now is the time of the clock.
	Now time.Time
	// Ahead is the lead of the clock in the last comparison; zero without a comparison.
	Ahead time.Duration
	// High is the latest time that the engine remembers, also over restarts; zero: none.
	High time.Time
	// Err is the result of Clock.
	Err error
}
