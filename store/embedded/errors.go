package embedded

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

var (
	// ErrLocked: another process has the folder open.
	ErrLocked = errors.New("the data folder is in use by another process")
	// ErrNewerFormat: the folder was written by a later version of the program.
	ErrNewerFormat = errors.New("the data folder has a newer format than this program knows")
)

// isFull reports whether err means a lack of space.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, store.ErrFull)
}

// translate translates an error of a read, or of a write without effect, into an error of store.
func translate(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrUnavailable),
		errors.Is(err, store.ErrOutcomeUnknown), errors.Is(err, store.ErrCorrupt):
		return fmt.Errorf("embedded: %s: %w", what, err)
	case isFull(err):
		return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrFull, err)
	case errors.Is(err, errBadRow), pebble.IsCorruptionError(err):
		return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrCorrupt, err)
	default:
		return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrUnavailable, err)
	}
}

// contextErr returns the error of a call whose context ended before its begin.
func contextErr(ctx context.Context, what string) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrUnavailable, context.Cause(ctx))
}
