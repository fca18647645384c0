package task

import (
	"context"
	"errors"
	"fmt"
)

// How many failures with single mailboxes a run bears, and how many of them it names.
const (
	maxFailures   = 100
	namedFailures = 5
)

// failures gathers what went wrong with single mailboxes, so that a run goes on with the others.
type failures struct {
	n     int
	named []error
}

// add notes err, if it is one. It returns an error if the run should end: its context has ended,
// or nothing seems to work.
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

// join is all that was noted and err, which may be nil.
func (f *failures) join(err error) error {
	all := f.named
	if f.n > len(f.named) {
		all = append(all, fmt.Errorf("task: %d more failures", f.n-len(f.named)))
	}
	return errors.Join(append(all, err)...)
}
