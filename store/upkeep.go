package store

import (
	"context"
	"time"

	"popelago/mail"
)

// Upkeep is the role for background work, checks and administration.
type Upkeep interface {
	Background
	Checks
	Notes
	WorkShare
	Clocks
	ClockKeeper
	// Servers returns the servers that use the store, by datacenter and name, as far as their
	// heartbeats are known. A server whose heartbeats have expired stays in the list for an hour, see
	// Server.Lost; a server that was stopped leaves the list. The list always has the local server. An engine for a single server returns that server.
	// With an error the list has the servers that were known before. Errors: ErrUnavailable, ErrCorrupt.
	Servers(ctx context.Context) ([]Server, error)
}

// Server is a server that uses the store. Fields that an engine does not know are empty.
type Server struct {
	// Name is permanent: the machine and the data folder of the server.
	Name       string
	Datacenter string
	// Address is the host name of the server.
	Address string
	Version string
	Started time.Time
	// Clock is the clock of the server at its last heartbeat. Zero: the server does not trust its clock.
	Clock time.Time
	// Own marks the local server.
	Own bool
	// Admin is the URL of the administration API for the peers; empty: no peer can ask.
	Admin string
	// Lost is the moment of the last heartbeat that was read, of a server whose heartbeats have expired: the
	// server has died, or has lost the cluster. Zero: the heartbeats go on.
	Lost time.Time
}

// Background is the periodic work of an engine. All methods may be called while other calls go on,
// and again at any time. A method stops early, without error, when its context ends. While
// MayReclaim returns an error, every method fails with the same error.
//
// While some replicas are unreachable, the work continues with data of the reachable replicas
// alone. The rest is reported as blocked, and later calls retry. A method returns an error if all
// remaining work is blocked.
//
// With a context of Watch the methods show their reports while they work.
//
// Errors: ErrUnavailable, ErrOutcomeUnknown, ErrCorrupt. A report also counts the work before an
// error.
type Background interface {
	// MayReclaim returns nil if background work may remove data: the clock is trusted, and all
	// servers agree on the in-flight window. Errors: ErrClock, ErrDisagree.
	MayReclaim() error

	// RaiseFloors raises the floors of mailboxes with many removals, so that the cost of a list
	// depends on the remaining messages alone. An engine without floors reports nothing.
	RaiseFloors(ctx context.Context) (FloorReport, error)

	// Sweep removes the content of messages that all their mailboxes removed before olderThan.
	Sweep(ctx context.Context, olderThan time.Time) (SweepReport, error)

	// SweepOrphans removes content put before olderThan that never had a row in any mailbox: content
	// of removed messages waits for Sweep. An engine that has to scan all content continues the last
	// scan, and starts a new scan only if the last scan started before begun. An engine with a list of
	// its orphans removes all of them in each call, and in Sweep, too.
	SweepOrphans(ctx context.Context, olderThan, begun time.Time) (OrphanReport, error)
}

// FloorReport counts the work of one RaiseFloors.
type FloorReport struct {
	Mailboxes int // mailboxes examined
	Raised    int // mailboxes with a raised floor
	Blocked   int // mailboxes not examined because of unreachable replicas
	Remaining int // mailboxes still to be examined, see Watch; 0 at the end
	// Grown lists the mailboxes that should become bulk, noticed by the local server since the
	// last call.
	Grown []GrownMailbox
}

// GrownMailbox is a mailbox that should become bulk: a mailbox with very many messages, or very
// many removals that cannot be reclaimed yet.
type GrownMailbox struct {
	Mailbox mail.MailboxID
	// Recipient is the recipient of any message of the mailbox, see mail.Message.
	Recipient string
}

// SweepReport counts the work of one Sweep.
type SweepReport struct {
	Contents  int   // contents removed
	Octets    int64 // octets of the removed contents
	Elsewhere int   // parts of the work that fall to neighbour servers
	// Blocked counts parts of the work (removals, contents) that wait for unreachable replicas.
	Blocked int
	// Held counts contents that no mailbox lists, left for a later run because a mailbox of theirs is being
	// rebuilt, see Checks.HoldFloor.
	Held int
	// Remaining counts the parts of the work that the run has not finished yet, if the engine knows, see
	// Watch; 0 at the end.
	Remaining int
}

// OrphanReport counts the work of one SweepOrphans.
type OrphanReport struct {
	SweepReport
	Looked int // contents examined
	// Percent of all content that a scan has examined, runs of other servers included, see Watch; 0 at the
	// end, and if the engine has no scan.
	Percent int
}
