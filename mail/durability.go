package mail

// Durability is the condition for a write to count as done: a message, a removal, a change of an
// account. The zero value is a quorum of the local datacenter.
type Durability struct {
	// Each asks for a quorum of every datacenter, so that the loss of a whole datacenter loses no
	// acknowledged write.
	Each bool
	// OrLocal lets a write with Each count as done after a quorum of the local datacenter, while
	// another datacenter cannot be reached.
	OrLocal bool
}

// Reached is the durability that a write has reached.
type Reached int

const (
	// ReachedLocal: a quorum of the local datacenter has the write, and Each was not asked for. On a
	// single machine: the disk has the write.
	ReachedLocal Reached = iota
	// ReachedEach: a quorum of every datacenter has the write.
	ReachedEach
	// ReachedFallback: a quorum of the local datacenter has the write. Each was asked for, but
	// another datacenter could not be reached.
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
