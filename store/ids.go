package store

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
)

// NextID makes a message id, unless the clock cannot be trusted. Nobody else calls
// mail.IDSource.Next: an id of a wrong clock would do harm for as long as it exists.
//
// Errors: ErrClock.
func NextID(ctx context.Context, clocks Clocks, source *mail.IDSource) (mail.MessageID, error) {
	if err := clocks.CompareClock(ctx); err != nil {
		return mail.MessageID{}, fmt.Errorf("make a message id: %w", err)
	}
	id := source.Next()
	if err := clocks.Clock(); err != nil { // it was set meanwhile
		return mail.MessageID{}, fmt.Errorf("make a message id: %w", err)
	}
	return id, nil
}

// CheckID returns nil if rows may be written, or acknowledged, under an id at the moment now,
// which must be read from the wall clock: the monotonic clock may stand still while a machine
// sleeps. The clock can be trusted, and by it the id is not older than oldest and not further
// ahead than ahead.
//
// Errors: ErrClock, also for an id that is ahead; ErrTooOld.
func CheckID(ctx context.Context, clocks Clocks, id mail.MessageID, now time.Time, oldest, ahead time.Duration) error {
	if err := clocks.CompareClock(ctx); err != nil {
		return fmt.Errorf("check the age of message id %s: %w", id, err)
	}
	if err := clocks.Clock(); err != nil { // it was set meanwhile
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
