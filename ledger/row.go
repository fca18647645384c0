package ledger

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// Row is an index row of one delivery: a copy of the message in one mailbox. A mailbox has a row for each
// address that RCPT named.
type Row struct {
	store.Entry
	Durability mail.Durability
	State      State
	// Reached says how far a row got that is Stored or KnownBefore.
	Reached mail.Reached
	// Err is the reason why the recipient gets no success. Nil: the row is due, Stored or KnownBefore.
	Err error
}

// copyKey names a row among the rows of a message, in every repetition: the copy of a mailbox for one address
// that RCPT named.
type copyKey struct {
	mailbox mail.MailboxID
	named   string // the address that RCPT named, in canonical form
}

func (r *Row) key() copyKey { return keyOf(r.Mailbox, r.Message.Recipient, r.Message.Original) }

// keyOf returns the key of a row with a recipient and an original recipient, see mail.Message.
func keyOf(mailbox mail.MailboxID, recipient, original string) copyKey {
	if original == "" {
		original = recipient
	}
	if a, err := mail.ParsePath(original); err == nil {
		original = a.Canonical().String()
	}
	return copyKey{mailbox, original}
}

func attemptKey(r store.AttemptRecipient) copyKey { return keyOf(r.Mailbox, r.Recipient, r.Original) }

// State is the state of a row.
type State int

// The states.
const (
	// Pending: there is no row yet.
	Pending State = iota
	// Stored: this delivery wrote the row.
	Stored
	// KnownBefore: an earlier delivery wrote the row; the owner may have removed the message since.
	KnownBefore
	// Unknown: a write of the row, or its removal, has an unknown outcome. With a nil Err the row is
	// due, exactly as written before.
	Unknown
	// Failed: there is no row, and Err says why.
	Failed
)

// due reports whether the row has to be written.
func (r *Row) due() bool { return r.Err == nil && (r.State == Pending || r.State == Unknown) }

// Remove removes the row of a message permanently, as durably as the row is written.
func (r *Row) Remove(ctx context.Context, st store.Levels[store.Mail], id mail.MessageID) error {
	_, err := st.Durably(r.Durability, func(st store.Mail) error {
		return st.RemoveMessages(ctx, r.Mailbox, []mail.MessageID{id})
	})
	return err
}
