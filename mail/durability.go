package mail

import "fmt"

// Durability says when a write counts as done: acknowledged mail, a removal, a change of an
// account. Its text form is one of "local", "each", "each-or-local" and "default"; storage engines
// store the value itself, which is empty for the default.
type Durability string

// The durabilities. The text of a durability that a newer release made counts as DurabilityDefault.
const (
	// DurabilityDefault is the zero value: a domain without a durability of its own has the
	// server's, and a write without any counts as done like DurabilityLocal.
	DurabilityDefault Durability = ""
	// DurabilityLocal: a quorum of the local datacenter has the write.
	DurabilityLocal Durability = "local"
	// DurabilityEach: a quorum of every datacenter has the write. The loss of a whole datacenter
	// then loses nothing. The write fails while a datacenter cannot be reached.
	DurabilityEach Durability = "each"
	// DurabilityEachOrLocal: DurabilityEach, and DurabilityLocal while a datacenter cannot be reached.
	DurabilityEachOrLocal Durability = "each-or-local"
)

// textDefault is the text form of DurabilityDefault.
const textDefault = "default"

// ParseDurability reads the text form.
func ParseDurability(s string) (Durability, error) {
	switch d := Durability(s); d {
	case textDefault:
		return DurabilityDefault, nil
	case DurabilityLocal, DurabilityEach, DurabilityEachOrLocal:
		return d, nil
	}
	return "", fmt.Errorf(`%q is not a durability: local, each, each-or-local or default`, s)
}

// String returns the text form.
func (d Durability) String() string {
	if d == DurabilityDefault {
		return textDefault
	}
	return string(d)
}

// Or returns d, or otherwise if d is the default or unknown to this release.
func (d Durability) Or(otherwise Durability) Durability {
	switch d {
	case DurabilityLocal, DurabilityEach, DurabilityEachOrLocal:
		return d
	}
	return otherwise
}

// Each reports whether a quorum of every datacenter is asked for.
func (d Durability) Each() bool { return d == DurabilityEach || d == DurabilityEachOrLocal }

// OrLocal reports whether a write counts as done that only the local datacenter has, while another
// datacenter cannot be reached.
func (d Durability) OrLocal() bool { return d == DurabilityEachOrLocal }

// Reached is the durability that a write counted as done has got.
type Reached int

const (
	// ReachedLocal: a quorum of the local datacenter has the write, as was asked for. On a single
	// machine: its disk.
	ReachedLocal Reached = iota
	// ReachedEach: a quorum of every datacenter has the write.
	ReachedEach
	// ReachedFallback: a quorum of the local datacenter has the write; every datacenter was asked
	// for, but one could not be reached.
	ReachedFallback
)

// Least returns the lesser of two: fallback, local, each.
func (r Reached) Least(other Reached) Reached {
	switch {
	case r == ReachedEach, other == ReachedFallback:
		return other
	}
	return r
}

// String returns the name in logs and metrics: local, each or fallback.
func (r Reached) String() string {
	switch r {
	case ReachedEach:
		return "each"
	case ReachedFallback:
		return "fallback"
	}
	return "local"
}
