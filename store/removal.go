package store

import (
	"context"
	"iter"
	"time"

	"popelago/mail"
)

// Removals keeps the rows of removed messages as long as their content is kept, so that the messages
// can be restored: copied to a new id. A removed row itself never comes back.
type Removals interface {
	// RemoveListed is RemoveMessages for rows as ListMessages returned them, and keeps the rows for
	// RemovedMessages. RemoveMessages is for rows without an acknowledgement, or without content:
	// RemovedMessages returns such rows only if RemoveListed removed the rows too.
	//
	// Errors: those of RemoveMessages.
	RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error

	// RemovedMessages returns the removals from a mailbox since a moment whose content Sweep has not
	// removed yet, in the engine's order. A removal whose content is just being removed may be
	// returned; a message removed several times may be returned several times. The iteration ends
	// with the first error. The cost depends on the removals of the mailbox and on the time since
	// then, not on other mailboxes.
	//
	// RemovedMessages reads at the level of the role: at the level Each, removals that any
	// datacenter has acknowledged are found, or the error is an ErrUnavailable.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	RemovedMessages(ctx context.Context, mailbox mail.MailboxID, since time.Time) iter.Seq2[Removal, error]
}

// Removal is a message that was removed from a mailbox.
type Removal struct {
	// Message is the removed row. Size is 0 if a version of the program without RemoveListed removed
	// the message: then only ID is known.
	Message mail.Message
	// At is the time of the removal, to the microsecond.
	At time.Time
}
