package ledger

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// Row is an index row of one delivery: the message in one mailbox.
type Row struct {
	store.Entry
	Durability mail.Durability
	State      State
	// Reached says how far a row got that is Stored or KnownBefore.
	Reached mail.Reached
	// Err is the reason why the recipient gets no success. Nil: the row is due, Stored or KnownBefore.
	Err error
}

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
