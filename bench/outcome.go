package bench

// outcome is what became of a message for one recipient.
type outcome byte

// The outcomes. The zero value is outcomeUnknown: whoever forgets to set one claims nothing.
const (
	outcomeUnknown outcome = iota // it may be stored: 4xx after the content, or no reply
	outcomeTaken                  // 2xx: it is stored
	outcomeRefused                // it is not stored: 5xx, or refused before the content
	outcomeUnsent                 // not stored and worth another try: 4xx or lost before the content
)

// record returns the letter that begins the outcome's record in the journal.
func (o outcome) record() byte {
	switch o {
	case outcomeTaken:
		return 'A'
	case outcomeRefused, outcomeUnsent:
		return 'R'
	}
	return 'U'
}

// retry reports whether a client that wants its message delivered would try again.
func (o outcome) retry() bool { return o == outcomeUnknown || o == outcomeUnsent }
