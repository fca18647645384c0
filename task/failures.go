package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/store"
)

// namedFailures with single mailboxes appear in the error of the run.
const namedFailures = 5

// failures gathers the failures with single mailboxes, so that a run can continue with the next.
type failures struct {
	n         int
	named     []error
	endurance store.Endurance
	last      time.Time // the last result; zero: none
}

// add notes the result of a mailbox. An error returned ends the run: its context has ended, or too many
// mailboxes have failed, see store.Endurance.
func (f *failures) add(ctx context.Context, err error) error {
	var took time.Duration
	now := time.Now()
	if !f.last.IsZero() {
		took = now.Sub(f.last)
	}
	f.last = now
	goOn := f.endurance.Note(err, took)
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
	if !goOn {
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
