package store

import (
	"errors"
	"sync/atomic"

	"popelago/mail"
)

// Levels is one role R of a store at each level of reads and writes. The levels share all data and
// all state.
type Levels[R any] struct {
	// Local reads and writes at a quorum of the local datacenter.
	Local R
	// Each reads and writes at a quorum of every datacenter: a read sees all writes that any
	// datacenter has acknowledged. A call is unavailable while a datacenter cannot be reached.
	// Without several datacenters Each equals Local.
	Each R
	// All reads every replica, before a destructive decision. All writes like Local.
	All R
	// Several reports whether there are several datacenters.
	Several bool
}

// OneLevel returns the levels of a role in one place: every level is r.
func OneLevel[R any](r R) Levels[R] { return Levels[R]{Local: r, Each: r, All: r} }

// Durably calls write with the level that durability d asks for. If the write to every datacenter
// fails because a datacenter cannot be reached, and d allows a fallback, Durably calls write again
// with the local level. write must do the same each time.
func (l Levels[R]) Durably(d mail.Durability, write func(R) error) (mail.Reached, error) {
	if !d.Each() || !l.Several {
		return mail.ReachedLocal, write(l.Local)
	}
	err := write(l.Each)
	if err == nil {
		return mail.ReachedEach, nil
	}
	if d.OrLocal() && Unreached(err) && write(l.Local) == nil {
		return mail.ReachedFallback, nil
	}
	return mail.ReachedEach, err
}

// Unreached reports whether an unreachable datacenter may have caused an error.
func Unreached(err error) bool {
	return (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOutcomeUnknown)) &&
		!errors.Is(err, ErrFull) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrClock) && !errors.Is(err, ErrDisagree)
}

// Wide reads for one answer: at the level Each, and from the first failure because of an unreachable datacenter on,
// at the level Local. See Levels.Wide. Safe for concurrent use.
type Wide[R any] struct {
	levels  Levels[R]
	partial atomic.Bool
}

// Wide returns the reads for one answer.
func (l Levels[R]) Wide() *Wide[R] { return &Wide[R]{levels: l} }

// Read calls read with the level, and calls read again with the level Local if a datacenter cannot be reached.
func (w *Wide[R]) Read(read func(R) error) error {
	if w.levels.Several && !w.Partial() {
		err := read(w.levels.Each)
		if err == nil || !Unreached(err) {
			return err
		}
		w.partial.Store(true)
	}
	return read(w.levels.Local)
}

// Partial reports whether a datacenter could not be reached: writes that it alone has acknowledged may be missing.
func (w *Wide[R]) Partial() bool { return w.partial.Load() }
