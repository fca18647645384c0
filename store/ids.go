package store

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
)

// NextID makes a message id if the clock is trusted. All ids of the product come from NextID, never
// from mail.IDSource.Next directly: an id of a wrong clock would do harm as long as the id exists.
//
// Errors: ErrClock.
func NextID(ctx context.Context, clocks Clocks, source *mail.IDSource) (mail.MessageID, error) {
	if err := clocks.CompareClock(ctx); err != nil {
		return mail.MessageID{}, fmt.Errorf("make a message id: %w", err)
	}
	id := source.Next()
	if err := clocks.Clock(); err != nil { // the clock may have been set meanwhile
		return mail.MessageID{}, fmt.Errorf("make a message id: %w", err)
	}
	return id, nil
}

// CheckID returns nil if rows may be written, or acknowledged, under an id: the clock is trusted,
// and the id is neither older than oldest nor more than ahead in the future. now must be a reading
// of the wall clock: the monotonic clock may stand still while a machine sleeps.
//
// Errors: ErrClock, also for an id that is ahead; ErrTooOld.
func CheckID(ctx context.Context, clocks Clocks, id mail.MessageID, now time.Time, oldest, ahead time.Duration) error {
	if err := clocks.CompareClock(ctx); err != nil {
		return fmt.Errorf("check the age of message id %s: %w", id, err)
	}
	if err := clocks.Clock(); err != nil { // the clock may have been set meanwhile
		return fmt.Errorf("check the age of message id %s: %w", id, err)
	}
	age := now.Round(0).Sub(id.Time())
	switch {
	case age > oldest:
		return fmt.Errorf("message id %s of %v ago: %w", id, age.Round(time.Second), ErrTooOld)
	case -age > ahead:
		return fmt.Errorf("message id %s is %v ahead of the clock: %w", id, (-age).Round(time.Second), ErrClock)
	}
	return nil
}
