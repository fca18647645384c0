package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"popelago/mail"
)

// Attempt is a delivery that its sender may repeat although some rows are stored, or may be
// stored.
type Attempt struct {
	// Fingerprint is equal for repetitions of the same delivery. Package delivery computes the
	// fingerprint.
	Fingerprint [32]byte
	// ID is the message id of the content and of the rows.
	ID mail.MessageID
	// Entered is the time of entry into the ledger, to the microsecond. Fingerprint, ID and
	// Entered name the attempt.
	Entered time.Time
	// Until is the end of the attempt, to the microsecond: the sender will not repeat later.
	Until time.Time

	// Origin is the datacenter that acknowledged all writes that did not reach every datacenter,
	// see Place.Origin.
	Origin string

	// ContentStored reports that the content was acknowledged: further rows may refer to the
	// content under ID.
	ContentStored bool
	// ContentReached is the reach of an acknowledged content.
	ContentReached mail.Reached
	// ContentSize is the count of octets of the content.
	ContentSize int64

	// Recipients lists all recipients of the content, each with a mailbox of its own. A mailbox that
	// gets several copies of a message has them in several attempts.
	Recipients []AttemptRecipient
}

// AttemptRecipient is the state of one row of an Attempt.
type AttemptRecipient struct {
	Mailbox mail.MailboxID
	// Recipient is the recipient of the row, see mail.Message. A repetition of the row keeps the
	// same recipient.
	Recipient string
	// Original is the original recipient of the row, see mail.Message.
	Original string
	Outcome  AttemptOutcome
	// Reached is the reach of a stored row.
	Reached mail.Reached
	// Told reports that the sender has received a success for the recipient, and will not repeat
	// the delivery for the recipient alone.
	Told bool
}

// AttemptOutcome is the knowledge about a row.
type AttemptOutcome int

// The outcomes.
const (
	// AttemptUnwritten: the row surely does not exist.
	AttemptUnwritten AttemptOutcome = iota
	// AttemptUnknown: the row may exist.
	AttemptUnknown
	// AttemptStored: the row exists, or its owner has removed the row.
	AttemptStored
)

// UnreadAttempts is the error of Ledger.Attempts for attempts that could not be read: they were entered at From or later,
// and before every attempt that followed the error.
type UnreadAttempts struct {
	From time.Time
	Err  error
}

func (e *UnreadAttempts) Error() string {
	return fmt.Sprintf("attempts since %s: %v", e.From.UTC().Format(time.RFC3339), e.Err)
}

func (e *UnreadAttempts) Unwrap() error { return e.Err }

// Ledger is the role for repeated deliveries: the attempts that the servers of one datacenter
// share. Attempts are few and short-lived. In an engine for a single server PutAttempt does
// nothing, and no attempt is ever found.
type Ledger interface {
	Place

	// PutAttempt enters an attempt, durably. Repeating PutAttempt changes nothing. A removed
	// attempt stays removed. An attempt past Until may be ignored. Errors: ErrUnavailable,
	// ErrOutcomeUnknown.
	PutAttempt(ctx context.Context, a Attempt) error

	// Attempts returns the attempts entered at or after a moment that have not ended, the newest
	// first. An error stands for attempts that could not be read, see UnreadAttempts: older attempts may
	// follow. Errors: ErrUnavailable, ErrCorrupt.
	Attempts(ctx context.Context, since time.Time) iter.Seq2[Attempt, error]

	// HasAttempt reports whether an attempt is still entered. Errors: ErrUnavailable.
	HasAttempt(ctx context.Context, a Attempt) (bool, error)

	// RemoveAttempt removes an attempt, durably and permanently. An absent attempt is no error.
	// Errors: ErrUnavailable, ErrOutcomeUnknown.
	RemoveAttempt(ctx context.Context, a Attempt) error
}
