package bench

// outcome is the result of a message for one recipient.
type outcome byte

// The outcomes. The zero value is outcomeUnknown, so that a forgotten outcome claims nothing.
const (
	outcomeUnknown outcome = iota // perhaps stored: 4xx after the content, or no reply
	outcomeTaken                  // 2xx: stored
	outcomeRefused                // not stored: 5xx, or refused before the content
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

// retry reports whether a mail server would try again.
func (o outcome) retry() bool { return o == outcomeUnknown || o == outcomeUnsent }
