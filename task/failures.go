package task

import (
	"context"
	"errors"
	"fmt"
)

// Limits of failures with single mailboxes.
const (
	maxFailures   = 100 // end the run
	namedFailures = 5   // appear in the error of the run
)

// failures gathers the failures with single mailboxes, so that a run can continue with the next.
type failures struct {
	n     int
	named []error
}

// add notes err, unless nil. An error returned ends the run: its context has ended, or too many
// mailboxes have failed.
func (f *failures) add(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	}
	f.n++
	if len(f.named) < namedFailures {
		f.named = append(f.named, err)
	}
	if f.n >= maxFailures {
		return errTooMany
	}
	return nil
}

var errTooMany = errors.New("task: too many failures")

// join returns all noted failures and err, which may be nil.
func (f *failures) join(err error) error {
	all := f.named
	if f.n > len(f.named) {
		all = append(all, fmt.Errorf("task: %d more failures", f.n-len(f.named)))
	}
	return errors.Join(append(all, err)...)
}
