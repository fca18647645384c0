package bench

import "fmt"

// Violation is a kind of broken promise.
type Violation string

// The kinds.
const (
	Lost         Violation = "lost"         // acknowledged, not removed, and not there
	Duplicated   Violation = "duplicated"   // listed more often than sent
	Resurrected  Violation = "resurrected"  // removed with +OK, and there again
	Altered      Violation = "altered"      // octets differ from the sent ones
	SizeWrong    Violation = "size wrong"   // LIST or STAT differ from RETR
	UIDLChanged  Violation = "uidl changed" // known under another unique-id before
	UIDLReused   Violation = "uidl reused"  // the unique-id of another message before
	UIDLInvalid  Violation = "uidl invalid" // breaks RFC 1939 section 7, or twice in one list
	Misdelivered Violation = "misdelivered" // was sent to other mailboxes only
	NotTaken     Violation = "not taken"    // refused permanently, but stored
	Unreadable   Violation = "unreadable"   // listed, but RETR answers -ERR
)

// violations is the order in which they are shown.
var violations = []Violation{Lost, Duplicated, Resurrected, Altered, SizeWrong, UIDLChanged, UIDLReused, UIDLInvalid, Misdelivered, NotTaken, Unreadable}

// maxExamples bounds the described violations of each kind.
const maxExamples = 10

// Example describes one violation.
type Example struct {
	Kind    Violation `json:"kind"`
	Mailbox string    `json:"mailbox"`
	UIDL    string    `json:"uidl,omitempty"`
	Token   string    `json:"token,omitempty"`
	Detail  string    `json:"detail,omitempty"`
}

// String returns the example as one line.
func (e Example) String() string {
	s := fmt.Sprintf("%s: mailbox %s", e.Kind, e.Mailbox)
	if e.Token != "" {
		s += ", message " + e.Token
	}
	if e.UIDL != "" {
		s += ", uidl " + e.UIDL
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Findings is the result of Verify. Not safe for concurrent use.
type Findings struct {
	// Mailboxes and Messages were gone through.
	Mailboxes int64 `json:"mailboxes"`
	Messages  int64 `json:"messages"`

	// Acknowledged counts pairs of message and mailbox that the server accepted, Removed the
	// messages removed with +OK, according to the journal.
	Acknowledged int64 `json:"acknowledged"`
	Removed      int64 `json:"removed"`

	// Violations counts violations by kind; absent kinds were not found.
	Violations map[Violation]int64 `json:"violations"`
	// Examples describes the first few of each kind.
	Examples []Example `json:"examples,omitempty"`

	// The next counts are allowed.

	// UnknownPresent and UnknownAbsent are messages of which no sending had a clear
	// outcome, and which were stored at some time, or never seen.
	UnknownPresent int64 `json:"unknown_present"`
	UnknownAbsent  int64 `json:"unknown_absent"`
	// UnknownDuplicates are further copies of messages that were repeated after an unknown outcome.
	UnknownDuplicates int64 `json:"unknown_duplicates"`
	// UnknownVanished were never acknowledged, but seen once, and are not there now.
	UnknownVanished int64 `json:"unknown_vanished"`
	// UnknownRemovals are messages marked in sessions whose QUIT was not answered with
	// +OK; UnknownRemovalsPresent of them are still there.
	UnknownRemovals        int64 `json:"unknown_removals"`
	UnknownRemovalsPresent int64 `json:"unknown_removals_present"`
	// Foreign are messages that are not in the journal.
	Foreign int64 `json:"foreign"`
}

// Failures returns the number of violations.
func (f *Findings) Failures() int64 {
	var n int64
	for _, c := range f.Violations {
		n += c
	}
	return n
}

// violation counts e.
func (f *Findings) violation(e Example) {
	if f.Violations == nil {
		f.Violations = make(map[Violation]int64)
	}
	f.Violations[e.Kind]++
	if f.Violations[e.Kind] <= maxExamples {
		f.Examples = append(f.Examples, e)
	}
}
