package store

import (
	"context"
	"io"
	"time"

	"popelago/mail"
)

// Mail is the role for delivery and retrieval: the contents of messages and the mailboxes.
type Mail interface {
	Contents
	Mailboxes
	Removals
	Retrievals
	Clocks
	Place
}

// Place names the datacenter of an engine.
type Place interface {
	// Origin returns the datacenter that acknowledges writes at the local level now. Origin
	// changes when the engine fails over to another datacenter; the new datacenter may lack
	// messages that only the old datacenter acknowledged. Empty in an engine in one place.
	Origin() string
}

// Contents stores the octets of messages, which all recipients of a transaction share.
type Contents interface {
	// NewContent opens a new content for writing, in bounded memory whatever the size. The caller
	// must end the content with PutContent or Discard.
	NewContent(ctx context.Context) (Content, error)

	// PutContent names the octets written to c and makes the content readable. PutContent uses up
	// c, also when PutContent returns an error. Exception: after a failure at the level Each, the
	// caller may put c again at the level Local. Putting the same octets under the same id again
	// changes nothing. A crash may lose the content until an AddMessages that names id has
	// returned nil.
	//
	// Errors: ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	PutContent(ctx context.Context, id mail.MessageID, c Content, info ContentInfo) error

	// DropContent removes the content of size octets put under id, also after a PutContent of unknown
	// outcome. The caller knows that no row under id exists, and that none will be written. Background
	// work reclaims the rest as an orphan, much later.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown.
	DropContent(ctx context.Context, id mail.MessageID, size int64) error

	// OpenContent opens the content of a message of a mailbox. origin is Message.Origin. The
	// reader also implements io.WriterTo. If Read meets damage, Read returns ErrCorrupt: short
	// content never ends with io.EOF. The reader must be closed.
	//
	// Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	OpenContent(ctx context.Context, id mail.MessageID, origin string) (ContentInfo, io.ReadCloser, error)
}

// Content is a message being written, without a name yet. Not safe for concurrent use.
type Content interface {
	// Write adds octets. Errors: ErrFull, ErrUnavailable.
	io.Writer
	// Size returns the count of octets written so far.
	Size() int64
	// Discard releases the space. After PutContent Discard does nothing.
	Discard()
}

// ContentInfo describes a content. The engine stores ContentInfo beside the octets.
type ContentInfo struct {
	// Size is the count of octets. PutContent takes Size from the Content and ignores the
	// caller's value.
	Size int64
	// ReversePath is the envelope's reverse-path without < and >, for the Return-Path line.
	ReversePath string
	// Mailboxes lists all mailboxes that receive the message.
	Mailboxes []mail.MailboxID
}

// Entry is a message to be added to a mailbox.
type Entry struct {
	Mailbox mail.MailboxID
	Message mail.Message
	// Bulk is Address.Bulk of the account. A caller that adds the same message again must pass an
	// equivalent Bulk: both times a moment after the message or zero, or both times a moment
	// before the message.
	Bulk time.Time
}

// Mailboxes stores the founding table: mailbox -> (message id, size).
type Mailboxes interface {
	// AddMessages makes messages visible in their mailboxes and returns an error for each entry,
	// in order. A nil error means durable: the row, and the content put under the same id before,
	// if any.
	//
	// Adding the same row again changes nothing and is no error, so a call may be repeated after
	// ErrOutcomeUnknown. A removed row stays removed.
	//
	// Errors: ErrFull, ErrUnavailable (the row was not written), ErrOutcomeUnknown.
	AddMessages(ctx context.Context, entries []Entry) []error

	// ListMessages returns up to limit rows of a mailbox with ids after the given id (zero: from
	// the start), in the order of their ids. more reports whether further rows may follow. A page
	// may contain fewer than limit rows although more is true, but at least one row. A mailbox
	// without any write is empty, not an error.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error)

	// Message returns a row of a mailbox. Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (mail.Message, error)

	// RemoveMessages removes rows from a mailbox, durably and permanently. Absent ids are no
	// error, and a later AddMessages of an absent id has no effect. After an error some, all or
	// none of the rows are removed; the call may be repeated.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown. A full disk should not make RemoveMessages fail.
	RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error
}
