package mail

// Reading names the datacenters that the list of a maildrop is read from. Its text form is one of
// "local", "each" and "each-or-local".
type Reading string

// The reading levels. The zero value, and the text of a level that a newer release made, count as
// ReadingLocal.
const (
	// ReadingLocal: a quorum of the local datacenter. A message acknowledged in another datacenter is
	// missing from the list until the message arrives.
	ReadingLocal Reading = "local"
	// ReadingEach: a quorum of every datacenter. The list has every message that any datacenter has
	// acknowledged. No maildrop opens while a datacenter cannot be reached.
	ReadingEach Reading = "each"
	// ReadingEachOrLocal: ReadingEach, and ReadingLocal while a datacenter cannot be reached.
	ReadingEachOrLocal Reading = "each-or-local"
)

// String returns the text form.
func (r Reading) String() string {
	if !r.Each() {
		return string(ReadingLocal)
	}
	return string(r)
}

// Each reports whether every datacenter is asked.
func (r Reading) Each() bool { return r == ReadingEach || r == ReadingEachOrLocal }

// OrLocal reports whether the local datacenter alone is enough while another datacenter cannot be
// reached.
func (r Reading) OrLocal() bool { return r == ReadingEachOrLocal }
