package store

import (
	"context"
	"time"

	"popelago/mail"
)

// Checks is what it takes to compare the index with the content, both ways. Package task does
// that. All of it reads at the level of the view: whoever goes on to take something away uses
// that of LevelAll.
type Checks interface {
	// ListContents returns up to limit contents from behind a position (empty: from the
	// start), in the engine's own order, which is always the same. next is the position
	// behind them; empty: there are no more. A page may hold fewer than limit contents, or
	// none, though there are more. Content put a moment ago may be missing.
	//
	// A position stays valid for as long as the data lasts, whatever is put or removed.
	//
	// Errors: ErrUnavailable. Damage is told in the rows.
	ListContents(ctx context.Context, after string, limit int) (contents []ContentRow, next string, err error)

	// ContentRows returns those of some contents that are there. Errors: ErrUnavailable.
	ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]ContentRow, error)

	// Trashed returns which mailboxes removed some messages, as far as Sweep has still to clear
	// up behind the removals. contents are the messages, each with the mailboxes it was stored for
	// (ContentInfo.Mailboxes); other mailboxes are not looked for. Later ContentRow.Removed
	// tells, for as long as there is a content: so whoever asks Trashed first and ContentRows
	// then learns of every removal. It always reads at LevelAll.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error)

	// Floor returns an id of a mailbox at or below which no message is alive, nor ever will be;
	// zero if nothing is known. Errors: ErrUnavailable, ErrCorrupt.
	Floor(ctx context.Context, mailbox mail.MailboxID) (mail.MessageID, error)

	// HoldFloor keeps the floor of a mailbox where it is for two hours, for adding messages that
	// may be below a later one. It returns when no RaiseFloors under way anywhere can raise the
	// floor any more, which takes about a minute. Floor has to be read afterwards.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown.
	HoldFloor(ctx context.Context, mailbox mail.MailboxID) error

	// RemoveOrphans removes those of some contents that are orphans: older than olderThan,
	// without a row in any of their mailboxes, and named by no removal that Sweep has still to
	// clear up behind. The store finds that out itself, now, at LevelAll. What it cannot find
	// out, because a replica is away, stays, and is reported as blocked.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown. What was done before is reported, too.
	RemoveOrphans(ctx context.Context, contents []ContentRow, olderThan time.Time) (SweepReport, error)

	// Progress returns what SetProgress kept under a name; empty: nothing. Errors:
	// ErrUnavailable, ErrCorrupt.
	Progress(ctx context.Context, name string) (string, error)

	// SetProgress keeps a text, up to about 1 MiB, that says how far some work has come, or what it
	// found. It is shared by all servers. Errors: ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	SetProgress(ctx context.Context, name, text string) error
}

// ContentRow is what a check sees of one content.
type ContentRow struct {
	ID mail.MessageID
	// Info is as it was put, as far as damage leaves it.
	Info ContentInfo
	// Removed are those of Info.Mailboxes that are known to have removed the message.
	Removed []mail.MailboxID
	// Parts numbers what is left of a content that is not there as such: nobody can open it.
	// Then nothing else is known about it. Nil for a content.
	Parts []int
	// Damage is why it cannot be read whole, as far as that shows without reading all its
	// octets; an ErrCorrupt. Nil if nothing shows.
	Damage error
}
