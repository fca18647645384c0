package account

import (
	"context"
	"fmt"

	"popelago/store"
)

// UnreadError is the error of a walk that went on behind parts of the directory that cannot be read: parts of the list of domains,
// or of the list of addresses of a domain. The walk proves nothing about them.
type UnreadError struct {
	Parts int
	First error

	endurance store.Endurance
}

// Error implements error.
func (e *UnreadError) Error() string {
	return fmt.Sprintf("account: %d parts of the directory cannot be read: %v", e.Parts, e.First)
}

// Unwrap returns the first error.
func (e *UnreadError) Unwrap() error { return e.First }

// Add notes the result of a part. An error returned ends the walk: the store has failed as a whole, see store.Endurance, or the
// error has another cause than replicas that do not answer.
func (e *UnreadError) Add(ctx context.Context, err error) error {
	goOn := e.endurance.Note(err, 0) // a part takes the time of its accounts
	if err == nil {
		return nil
	}
	if ctx.Err() != nil || !store.Unreached(err) {
		return err
	}
	if e.First == nil {
		e.First = err
	}
	if e.Parts++; !goOn {
		return e
	}
	return nil
}

// Adder returns Add for EachReadable.
func (e *UnreadError) Adder(ctx context.Context) func(error) error {
	return func(err error) error { return e.Add(ctx, err) }
}

// AddList is Add for the error beside a list of some length: a store of which nothing can be listed has failed as a whole.
func (e *UnreadError) AddList(ctx context.Context, length int, err error) error {
	if length == 0 {
		return err
	}
	return e.Add(ctx, err)
}

// OrNil returns e if a part could not be read.
func (e *UnreadError) OrNil() error {
	if e.Parts == 0 {
		return nil
	}
	return e
}
