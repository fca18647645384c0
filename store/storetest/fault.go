package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"popelago/store"
)

// Mode selects the kind of a failure.
type Mode int

const (
	// Before: the operation does nothing and returns store.ErrUnavailable.
	Before Mode = iota
	// After: a write is complete and returns store.ErrOutcomeUnknown. Reads, and writes to a
	// Content, fail like Before.
	After
	// Half: AddMessages and RemoveMessages do the first half of several entries. Entries not added
	// return store.ErrUnavailable, removals return store.ErrOutcomeUnknown. All further operations
	// fail like After.
	Half
)

// modes lists all modes.
var modes = []Mode{Before, After, Half}

func (m Mode) String() string {
	switch m {
	case Before:
		return "before"
	case After:
		return "after"
	default:
		return "half"
	}
}

// errInjected is wrapped by every injected error, beside a class of package store.
var errInjected = errors.New("injected fault")

// Fault is a failure. All stores wrapped with the same Fault share the count of operations.
type Fault struct {
	// K is the number of the failing operation, counted from 0. Operations are the calls of all
	// methods of store.Engine that return errors (except Close and the methods for the clock), of
	// Content.Write, and of Read and WriteTo of the readers from OpenContent.
	K int
	// Operation restricts the Fault to one method, such as "AddMessages" or "Content.Write": K counts
	// the calls of the method only. Empty: all operations.
	Operation string
	// Lasting makes all operations from K on fail. False: only operation K fails.
	Lasting bool
	// Mode is the kind of the failure.
	Mode Mode
	// Class is the error class of an operation that did nothing. Nil: store.ErrUnavailable.
	Class error
	// Off suspends the Fault: no operation fails, and none is counted. Off may change at any time.
	Off atomic.Bool

	// distinct leaves out operations that fail as in the mode before.
	distinct bool

	count atomic.Int64
	hit   atomic.Pointer[string]
}

// Hit returns the name of the failed operation; ok is false before the failure.
func (f *Fault) Hit() (operation string, ok bool) {
	if p := f.hit.Load(); p != nil {
		return *p, true
	}
	return "", false
}

// next counts an operation and reports whether the operation has to fail. In modes after last, the operation fails
// as in last.
func (f *Fault) next(operation string, last Mode) bool {
	if f.Off.Load() || f.Operation != "" && f.Operation != operation || f.distinct && f.Mode > last {
		return false
	}
	if n := f.count.Add(1) - 1; n < int64(f.K) || n > int64(f.K) && !f.Lasting {
		return false
	}
	f.hit.Store(&operation)
	return true
}

// undone is the error of an operation that did nothing.
func (f *Fault) undone(operation string) error {
	return f.error(cmp.Or(f.Class, store.ErrUnavailable), operation)
}

func (f *Fault) error(class error, operation string) error {
	return fmt.Errorf("%s: %w: %w", operation, class, errInjected)
}

// several is the last mode in which an operation on n messages fails in a way of its own.
func several(n int) Mode {
	if n > 1 {
		return Half
	}
	return After
}

// read runs an operation without changes.
func (f *Fault) read(operation string, do func() error) error {
	if f.next(operation, Before) {
		return f.undone(operation)
	}
	return do()
}

// write runs an operation with changes.
func (f *Fault) write(operation string, do func() error) error {
	if !f.next(operation, After) {
		return do()
	}
	if f.Mode == Before {
		return f.undone(operation)
	}
	if err := do(); err != nil {
		return err
	}
	return f.error(store.ErrOutcomeUnknown, operation)
}

// Faulty returns s with the failure f. Closing the result closes s.
func Faulty(s store.Store, f *Fault) store.Store {
	return store.Store{
		Mail:      wrap(s.Mail, func(r store.Mail, local bool) store.Mail { return &faultyMail{r, f, local} }),
		Directory: wrap(s.Directory, func(r store.Directory, _ bool) store.Directory { return &faultyDirectory{r, f} }),
		Ledger:    wrap(s.Ledger, func(r store.Ledger, _ bool) store.Ledger { return &faultyLedger{r, f} }),
		Upkeep:    wrap(s.Upkeep, func(r store.Upkeep, _ bool) store.Upkeep { return &faultyUpkeep{r, f} }),
		Journal:   wrap(s.Journal, func(r store.Journal, _ bool) store.Journal { return &faultyJournal{r, f} }),
		Closer:    s.Closer,
	}
}

// wrap wraps each level of a role; local reports the level Local.
func wrap[R any](l store.Levels[R], with func(r R, local bool) R) store.Levels[R] {
	return store.Levels[R]{
		Local: with(l.Local, true), Each: with(l.Each, !l.Several), All: with(l.All, !l.Several), Several: l.Several,
	}
}

// EachFault runs scenario with the k-th operation failing for k = 0, 1, 2... in every mode, each
// time as a subtest named mode/k, until a run meets no failure. Operations that a mode fails like the mode before
// are not counted: no failure is tried twice. scenario passes its stores through wrap.
func EachFault(t *testing.T, scenario func(t *testing.T, wrap func(store.Store) store.Store)) {
	t.Helper()
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			for k := 0; ; k++ {
				f := &Fault{K: k, Mode: mode, distinct: true}
				ok := t.Run(fmt.Sprint(k), func(t *testing.T) {
					defer func() {
						if op, ok := f.Hit(); ok && t.Failed() {
							t.Logf("the failed operation: %s", op)
						}
					}()
					scenario(t, func(s store.Store) store.Store { return Faulty(s, f) })
				})
				if _, hit := f.Hit(); !hit || !ok {
					return
				}
			}
		})
	}
}
