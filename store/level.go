package store

import (
	"errors"

	"popelago/mail"
)

// Level says how many replicas a call involves, on engines that have several.
type Level int

const (
	// LevelLocal: a quorum of the local datacenter. What a Store has from the start.
	LevelLocal Level = iota
	// LevelEach: a quorum of every datacenter, for reads too: they see what any datacenter
	// has acknowledged. Unavailable while one cannot be reached.
	LevelEach
	// LevelAll: every replica for reads, for those that go on to take something away;
	// writes as with LevelLocal.
	LevelAll
)

// Durably calls write with the view of st that reaches d, and if that fails and d allows it
// with the local one. write must do the same each time, so that it can be repeated.
func Durably(st Store, d mail.Durability, write func(Store) error) (mail.Reached, error) {
	each := st.At(LevelEach)
	if !d.Each || each == st {
		return mail.ReachedLocal, write(st)
	}
	err := write(each)
	if err == nil {
		return mail.ReachedEach, nil
	}
	if d.OrLocal && Unreached(err) && write(st) == nil {
		return mail.ReachedFallback, nil
	}
	return mail.ReachedEach, err
}

// Unreached reports whether an error may be the fault of a datacenter that cannot be reached.
func Unreached(err error) bool {
	return (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrOutcomeUnknown)) &&
		!errors.Is(err, ErrFull) && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrClock) && !errors.Is(err, ErrDisagree)
}
