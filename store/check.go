package store

import (
	"context"
	"time"

	"popelago/mail"
)

// Checks compares the index with the content, both ways. All methods read at the level of the
// role; a caller with a destructive purpose uses the level All.
type Checks interface {
	// ListContents returns up to limit contents after a position (empty: from the start), in the
	// engine's own order, which never changes. next is the position after the last content; empty:
	// the list is complete. A page may contain fewer than limit contents, or none, although further
	// contents follow. Content put a moment ago may be missing. A position stays valid as long as
	// the data exists.
	//
	// Errors: ErrUnavailable. ContentRow.Damage reports damage.
	ListContents(ctx context.Context, after string, limit int) (contents []ContentRow, next string, err error)

	// ContentRows returns the existing contents among some ids. Errors: ErrUnavailable.
	ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]ContentRow, error)

	// Trashed returns the mailboxes that removed some messages, for all removals that Sweep has
	// not reclaimed yet. contents maps each message to the mailboxes of its content
	// (ContentInfo.Mailboxes); Trashed looks at no further mailboxes. After Sweep the content
	// lists the mailboxes in ContentRow.Removed. A caller that calls Trashed first and ContentRows
	// second therefore sees every removal. Trashed always reads at the level All.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error)

	// Floor returns the floor of a mailbox: no message at or below the floor is alive, or will
	// ever be. Zero: unknown. Errors: ErrUnavailable, ErrCorrupt.
	Floor(ctx context.Context, mailbox mail.MailboxID) (mail.MessageID, error)

	// HoldFloor keeps the floor of a mailbox in place for FloorHold, so that messages below a later
	// floor can be added, and keeps orphans of the mailbox from being removed. HoldFloor returns when
	// no RaiseFloors in flight on any server can raise the floor any more, and no SweepOrphans or
	// RemoveOrphans in flight can remove a content of the mailbox any more, after about a minute. The
	// caller has to read Floor and the contents afterwards.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown.
	HoldFloor(ctx context.Context, mailbox mail.MailboxID) error

	// RemoveOrphans removes the orphans among some contents. An orphan is older than olderThan, has
	// no row in any of its mailboxes, and no removal that Sweep has not reclaimed names the orphan.
	// RemoveOrphans verifies all conditions at the level All. A content with an unreachable replica
	// stays, and is reported as blocked; a content of a mailbox with a held floor stays, and is reported
	// as held.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown. The report also counts the work before an error.
	RemoveOrphans(ctx context.Context, contents []ContentRow, olderThan time.Time) (SweepReport, error)
}

// ContentRow is one content as a check sees the content.
type ContentRow struct {
	ID mail.MessageID
	// Info is the ContentInfo of PutContent, as far as damage leaves Info readable.
	Info ContentInfo
	// Removed lists the mailboxes of Info.Mailboxes that are known to have removed the message.
	Removed []mail.MailboxID
	// Parts numbers the remaining parts of an incomplete content, which cannot be opened. All
	// further fields are unknown then. Nil for a complete content.
	Parts []int
	// Damage is an ErrCorrupt if the content cannot be read whole, as far as a check detects
	// damage without reading all octets, or an ErrUnavailable if only a later release can read
	// the content. Nil without visible damage.
	Damage error
}
