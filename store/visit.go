package store

import (
	"context"
	"iter"
	"time"

	"popelago/mail"
)

// Retrieval is the note that a message was retrieved.
type Retrieval struct {
	ID mail.MessageID
	// At is the time of the first retrieval that is noted, to the microsecond, and never before the time
	// of the id.
	At time.Time
}

// Retrievals notes when messages were retrieved first. Notes are a table of their own: a note makes no
// message, and keeps no message. A lost note only keeps a message longer.
type Retrievals interface {
	// NoteRetrieved notes that messages of a mailbox were retrieved at a moment. Of several notes for a
	// message the earliest stays, in whichever order they are written. A note for a message that is not
	// in the mailbox may be ignored. A note lasts for keep at least, unless ForgetRetrieved removes the
	// note; it need not last longer, nor longer than its message. At most MaxNoteAge is kept.
	//
	// Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown; the call may be repeated.
	NoteRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, at time.Time, keep time.Duration) error

	// RetrievedMessages returns the notes of a mailbox for ids after after (zero: from the start) up to
	// through, in the engine's order. The caller has listed the mailbox before. Notes for messages that were removed meanwhile may be among them.
	// The iteration ends with the first error.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	RetrievedMessages(ctx context.Context, mailbox mail.MailboxID, after, through mail.MessageID) iter.Seq2[Retrieval, error]

	// ForgetRetrieved removes the notes for messages that were removed. Absent notes are no error. A note
	// that arrives later may have no effect.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown; the call may be repeated.
	ForgetRetrieved(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error
}

// MaxNoteAge is the longest time for which an engine keeps the notes of Retrievals and Logins.
const MaxNoteAge = 5 * 365 * 24 * time.Hour

// Logins notes the last login of each account, by its mailbox. A lost note does no harm.
type Logins interface {
	// NoteLogin notes a login. Of several logins the latest stays. Errors: ErrClock, ErrFull,
	// ErrUnavailable, ErrOutcomeUnknown.
	NoteLogin(ctx context.Context, mailbox mail.MailboxID, at time.Time) error
	// LastLogin returns the last login that is noted, to the microsecond; zero: none within MaxNoteAge.
	// Errors: ErrUnavailable, ErrCorrupt.
	LastLogin(ctx context.Context, mailbox mail.MailboxID) (time.Time, error)
}
