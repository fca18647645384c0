package store

import (
	"context"
	"iter"
	"time"

	"popelago/mail"
)

// Attempt is a delivery that its sender may repeat though some of it is stored, or may be.
type Attempt struct {
	// Fingerprint tells what a repetition looks like; package delivery says of what it is made.
	Fingerprint [32]byte
	// ID is the one that content and rows were written under.
	ID mail.MessageID
	// Entered is when this was written down, to the microsecond. With Fingerprint and ID it
	// names the entry.
	Entered time.Time
	// Until is when it is over, to the microsecond: no repetition is expected any more.
	Until time.Time

	// Origin is the datacenter that acknowledged what did not reach every one, as Store.Origin
	// names it.
	Origin string

	// ContentStored says that the content was acknowledged, and that further rows may refer
	// to it under ID.
	ContentStored bool
	// ContentReached is how far the content got, if it was acknowledged.
	ContentReached mail.Reached
	// ContentSize is the count of octets of the content.
	ContentSize int64

	// Recipients are all those that the content was stored for, one for each mailbox.
	Recipients []AttemptRecipient
}

// AttemptRecipient is what became of one row of an Attempt.
type AttemptRecipient struct {
	Mailbox mail.MailboxID
	// Recipient is that of the row, see mail.Message. A row is never written again with
	// another one.
	Recipient string
	Outcome   AttemptOutcome
	// Reached is how far the row got, if it is stored.
	Reached mail.Reached
	// Told says that the sender has been told of a success, and so will not try again for
	// this recipient alone.
	Told bool
}

// AttemptOutcome is what is known about a row.
type AttemptOutcome int

// The outcomes.
const (
	// AttemptUnwritten: there is surely no row.
	AttemptUnwritten AttemptOutcome = iota
	// AttemptUnknown: there may be one.
	AttemptUnknown
	// AttemptStored: there is one, or its owner has removed it.
	AttemptStored
)

// Attempts holds the ledger of attempts that the servers of one datacenter share: few, and
// kept for a short time. An engine that serves one process keeps none: its PutAttempt does
// nothing, and nothing is ever found.
type Attempts interface {
	// PutAttempt enters one, durably. Doing so again changes nothing; one that was removed
	// stays removed; one that is over may be ignored. Errors: ErrUnavailable,
	// ErrOutcomeUnknown.
	PutAttempt(ctx context.Context, a Attempt) error

	// Attempts returns those entered at or after a moment that are not over, the newest first.
	// After an error there is nothing more. Errors: ErrUnavailable, ErrCorrupt.
	Attempts(ctx context.Context, since time.Time) iter.Seq2[Attempt, error]

	// HasAttempt reports whether one is still there. Errors: ErrUnavailable.
	HasAttempt(ctx context.Context, a Attempt) (bool, error)

	// RemoveAttempt removes one, durably and for good; no error if it is not there. Errors:
	// ErrUnavailable, ErrOutcomeUnknown.
	RemoveAttempt(ctx context.Context, a Attempt) error
}
