package store

import (
	"context"
	"io"
	"time"

	"popelago/mail"
)

// Store is what an engine implements. See the package comment for order, concurrency and
// errors.
type Store interface {
	Contents
	Mailboxes
	Addresses
	Domains
	Attempts
	Checks
	Clocks

	// At returns the same store with another level of reads and writes. Views share
	// everything; closing one closes the store. An engine in one place has one level, and
	// returns itself: that a view differs from its store says that there are several
	// datacenters.
	At(level Level) Store

	// Origin is the datacenter that acknowledges now what is written at LevelLocal. It changes
	// when the engine goes on through another one: what the former acknowledged may be missing
	// in that. Empty in an engine in one place.
	Origin() string

	// Mine reports whether background work that is named by key falls to this server. Of the
	// servers of a datacenter that are alive one says yes; for a moment after one came or went
	// two or none may. A server that cannot find out about the others says no. An engine that
	// only one server uses always says yes.
	Mine(key string) bool

	Background

	// Close ends the engine. Calls under way finish or fail with ErrClosed; readers from
	// OpenContent must be closed before.
	Close() error
}

// Background is what an engine has to do beside its calls, from time to time. All of it may be
// called while everything else goes on, and again at any time. It stops early, without error,
// when its context ends. While MayReclaim objects it fails with that error.
//
// Where some replicas are away, the work goes on with what the others hold alone. The rest is
// reported as blocked, and tried again by later calls. It is an error if nothing else is left.
//
// Errors: ErrUnavailable, ErrOutcomeUnknown, ErrCorrupt. What was done before is reported with
// an error, too.
type Background interface {
	// MayReclaim returns nil if background work may take something away: the clock can be
	// trusted, and all servers agree for how long things have to be left alone. Errors: ErrClock,
	// ErrDisagree.
	MayReclaim() error

	// RaiseFloors makes lists of mailboxes that much was removed from cost what is there, not
	// what was there. An engine that does so by itself reports nothing.
	RaiseFloors(ctx context.Context) (FloorReport, error)

	// Sweep removes the content of messages that all their mailboxes removed before olderThan.
	Sweep(ctx context.Context, olderThan time.Time) (SweepReport, error)

	// SweepOrphans removes content that was put before olderThan but never got a row in any
	// mailbox. Where that means to look through all content it goes on with what was begun, and
	// begins anew only if the last beginning was before begun. An engine that knows its orphans
	// without looking removes them in Sweep.
	SweepOrphans(ctx context.Context, olderThan, begun time.Time) (OrphanReport, error)
}

// FloorReport counts what one RaiseFloors did.
type FloorReport struct {
	Mailboxes int // mailboxes looked at
	Raised    int // those whose floor rose
	Blocked   int // mailboxes that could not be looked at, because replicas of theirs are away
	// Grown are mailboxes that should become bulk, as far as this server has noticed since
	// the last call.
	Grown []GrownMailbox
}

// GrownMailbox is a mailbox that holds so many messages, or so much that cannot be cleared up
// behind removed ones, that it should become bulk.
type GrownMailbox struct {
	Mailbox mail.MailboxID
	// Recipient is that of one of its messages, see mail.Message.
	Recipient string
}

// SweepReport counts what one Sweep did.
type SweepReport struct {
	Contents  int   // contents removed
	Octets    int64 // octets of those
	Elsewhere int   // parts of the work that fall to other servers
	// Blocked are parts of the work (removals, contents) that wait for replicas that are away.
	Blocked int
}

// OrphanReport counts what one SweepOrphans did.
type OrphanReport struct {
	SweepReport
	Looked int // pieces of content looked at
}

// Contents holds the octets of messages: what all recipients of a transaction share.
type Contents interface {
	// NewContent makes a place to write one content to, in bounded memory whatever its size.
	// The caller must end it with PutContent or Discard.
	NewContent(ctx context.Context) (Content, error)

	// PutContent names what was written to c and makes it readable. c is used up, also when
	// an error is returned; but what a view at LevelEach failed to put may be put again at
	// LevelLocal. Putting the same octets under the same id again changes nothing.
	// The content may be lost in a crash until an AddMessages naming id has returned nil.
	//
	// Errors: ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	PutContent(ctx context.Context, id mail.MessageID, c Content, info ContentInfo) error

	// OpenContent opens the content of a message of a mailbox. origin is Message.Origin. The
	// reader also implements io.WriterTo. Damage found while reading makes Read return
	// ErrCorrupt: never short content with io.EOF. The reader must be closed.
	//
	// Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	OpenContent(ctx context.Context, id mail.MessageID, origin string) (ContentInfo, io.ReadCloser, error)
}

// Content is a message being written, not yet named. Not safe for concurrent use.
type Content interface {
	// Write adds octets. Errors: ErrFull, ErrUnavailable.
	io.Writer
	// Size is the count of octets written so far.
	Size() int64
	// Discard gives the space back. After PutContent it does nothing.
	Discard()
}

// ContentInfo is what is stored beside the octets.
type ContentInfo struct {
	// Size is the count of octets; PutContent sets it from the Content and ignores the
	// caller's value.
	Size int64
	// ReversePath is the envelope's reverse-path without < and >, for the Return-Path line.
	ReversePath string
	// Mailboxes is the complete list of the mailboxes the message goes to.
	Mailboxes []mail.MailboxID
}

// Entry is a message to be added to a mailbox.
type Entry struct {
	Mailbox mail.MailboxID
	Message mail.Message
	// Bulk is Address.Bulk of the account. Whoever adds the same message again must mean the
	// same by it: either both times a moment after the message, or zero, or both times one
	// that is not.
	Bulk time.Time
}

// Mailboxes holds the founding table: mailbox -> (message id, size).
type Mailboxes interface {
	// AddMessages makes messages visible in their mailboxes and returns one error per entry,
	// in order. A nil error means durable: row, and the content put under its id before, if
	// any.
	//
	// Adding the same row again changes nothing and is no error, so a call may be repeated
	// after ErrOutcomeUnknown. Adding a row that was removed before leaves it removed.
	//
	// Errors: ErrFull, ErrUnavailable (that row was not written), ErrOutcomeUnknown.
	AddMessages(ctx context.Context, entries []Entry) []error

	// ListMessages returns up to limit rows of a mailbox with ids after the given one (zero:
	// from the start), in the order of their ids. more reports whether there may be further
	// rows behind the last; a page may hold fewer than limit rows though more is true, but
	// not none. A mailbox that was never written to is empty, not an error.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error)

	// Message returns one row of a mailbox. Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (mail.Message, error)

	// RemoveMessages takes rows out of a mailbox, durably, once and for all. Ids that are not
	// there are no error, and stay removed if they are added later. On an error some, all or
	// none of the rows are removed; the call may be repeated.
	//
	// Errors: ErrUnavailable, ErrOutcomeUnknown. A full disk should not make it fail.
	RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error

	// SetBulk makes a mailbox bulk, for good: one that takes so many messages that they should
	// not all lie in one place. It may be called while the mailbox is in use, and again, which
	// changes nothing. since is for Entry.Bulk from then on: the moment, some time ahead, from
	// which messages lie in other places, so that by then every server knows of it. An engine
	// with one place for all, however many, does nothing and returns the zero time.
	//
	// Errors: ErrClock, ErrUnavailable, ErrOutcomeUnknown.
	SetBulk(ctx context.Context, mailbox mail.MailboxID) (since time.Time, err error)
}

// AddressKind says what an address is.
type AddressKind string

// KindAccount is an address with a mailbox and a password.
const KindAccount AddressKind = "account"

// AddressState says whether an account may be used.
type AddressState string

// The states of an account. The empty state counts as enabled.
const (
	StateEnabled  AddressState = "enabled"
	StateDisabled AddressState = "disabled"
)

// Address is one generation of an address: a row is live when it has a Kind and Removed is
// zero. package account decides which generation counts.
type Address struct {
	Address mail.Address // canonical
	// Generation is the id of the removal that this row follows; zero for the first.
	Generation mail.MessageID
	// Kind is empty when the row does not exist.
	Kind AddressKind
	// Removed is the id of the removal that ended this generation; zero while it lives. It
	// is set once and never unset.
	Removed mail.MessageID
	// Password is the hash in PHC or modular crypt form.
	Password string
	State    AddressState
	// Created is when the row was made, to the microsecond.
	Created time.Time
	// Retention is how long messages stay at most, to the microsecond; zero: as long as the
	// domain says; negative: for ever.
	Retention time.Duration
	// Bulk is since when the mailbox is bulk, to the microsecond: what SetBulk returned. Zero:
	// it is not.
	Bulk time.Time
}

// AddressChange names the columns of an address row to be written; nil leaves a column as it
// is.
type AddressChange struct {
	Kind      *AddressKind
	Removed   *mail.MessageID
	Password  *string
	State     *AddressState
	Created   *time.Time
	Retention *time.Duration
	Bulk      *time.Time
}

// Addresses holds the directory. It is not changed while the clock cannot be trusted: a change
// with the time of a clock that is ahead would win over later ones.
type Addresses interface {
	// AddressRows returns all generations of one canonical address in the order of their
	// Generation; none if it was never made. Errors: ErrUnavailable, ErrCorrupt.
	AddressRows(ctx context.Context, a mail.Address) ([]Address, error)

	// ChangeAddress writes the named columns of one generation of an address, durably, and
	// makes the row if need be. Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c AddressChange) error

	// ListAddresses returns rows of a domain (all generations, also removed ones), with
	// all the rows of one local-part side by side, from behind the given local-part (empty:
	// from the start), about limit of them. The order of local-parts is the engine's own,
	// but always the same. more reports whether there may be further rows.
	ListAddresses(ctx context.Context, domain, after string, limit int) (rows []Address, more bool, err error)
}

// Domain is one hosted domain.
type Domain struct {
	// Name is canonical, see mail.CanonicalDomain.
	Name string
	// Created is when the domain was added, to the microsecond.
	Created time.Time
	// Durability of its mail, removals and accounts; empty: the server's default counts.
	Durability DurabilitySetting
	// Retention is how long messages stay at most, to the microsecond; zero: for ever.
	Retention time.Duration
}

// RemovedDomain is a domain that is hosted no more.
type RemovedDomain struct {
	// Name is canonical.
	Name string
	// Since is when the domain was removed; zero: the engine does not know.
	Since time.Time
}

// DurabilitySetting is a mail.Durability by name.
type DurabilitySetting string

// The durabilities. The empty one stands for a default elsewhere.
const (
	DurabilityLocal       DurabilitySetting = "local"
	DurabilityEach        DurabilitySetting = "each"
	DurabilityEachOrLocal DurabilitySetting = "each-or-local"
)

// Durability is what s names, or otherwise if it names nothing.
func (s DurabilitySetting) Durability(otherwise mail.Durability) mail.Durability {
	switch s {
	case DurabilityLocal:
		return mail.Durability{}
	case DurabilityEach:
		return mail.Durability{Each: true}
	case DurabilityEachOrLocal:
		return mail.Durability{Each: true, OrLocal: true}
	}
	return otherwise
}

// DomainChange names the settings of a domain to be written; nil leaves one as it is.
type DomainChange struct {
	Durability *DurabilitySetting
	Retention  *time.Duration
}

// Domains holds the hosted domains: few enough to be listed whole. They are not changed while the
// clock cannot be trusted, see Addresses.
type Domains interface {
	// Domain returns one. Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	Domain(ctx context.Context, name string) (Domain, error)
	// ListDomains returns all, by name. Errors: ErrUnavailable, ErrCorrupt.
	ListDomains(ctx context.Context) ([]Domain, error)
	// RemovedDomains returns, by name, the domains that are hosted no more and may have left
	// addresses. Errors: ErrUnavailable, ErrCorrupt.
	RemovedDomains(ctx context.Context) ([]RemovedDomain, error)
	// PutDomain adds one, or puts another in its place, durably. Errors: ErrClock, ErrFull,
	// ErrUnavailable, ErrOutcomeUnknown.
	PutDomain(ctx context.Context, d Domain) error
	// ChangeDomain writes the named settings of a domain, durably. Of a domain that does not
	// exist nothing becomes visible. Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	ChangeDomain(ctx context.Context, name string, c DomainChange) error
	// RemoveDomain removes one, durably; no error if there is none. Accounts in it are not
	// touched. Errors: ErrClock, ErrUnavailable, ErrOutcomeUnknown.
	RemoveDomain(ctx context.Context, name string) error
}
