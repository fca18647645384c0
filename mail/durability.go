package mail

// Durability says when a write counts as done: acknowledged mail, a removal, a change of an
// account. The zero value is a quorum of the local datacenter.
type Durability struct {
	// Each asks for a quorum of every datacenter instead: losing a whole one then loses
	// nothing.
	Each bool
	// OrLocal lets a write with Each count as done when only the local datacenter has it,
	// if another one cannot be reached.
	OrLocal bool
}

// Reached says how far a write got that counts as done.
type Reached int

const (
	// ReachedLocal: a quorum of the local datacenter has it, as was asked for. On a single
	// machine: its disk.
	ReachedLocal Reached = iota
	// ReachedEach: a quorum of every datacenter has it.
	ReachedEach
	// ReachedFallback: a quorum of the local datacenter has it; every datacenter was asked
	// for, but one could not be reached.
	ReachedFallback
)

// String is the name in logs and metrics: local, each or fallback.
func (r Reached) String() string {
	switch r {
	case ReachedEach:
		return "each"
	case ReachedFallback:
		return "fallback"
	}
	return "local"
}
