package store

import (
	"context"
	"strings"
	"time"

	"popelago/mail"
)

// Directory is the role for accounts, domains and access tokens.
type Directory interface {
	Addresses
	Domains
	Tokens
	Logins
	Notes
	WorkShare
	Clocks

	// SetBulk makes a mailbox bulk, permanently: a mailbox with so many messages that the engine
	// should spread them over several places. SetBulk may be called while the mailbox is in use.
	// Repeating SetBulk changes nothing. Entry.Bulk is since from then on: from since on, messages
	// are stored in other places. since is far enough ahead for all servers to read the account
	// again. An engine with one place for any number of messages does nothing and returns the zero
	// time.
	//
	// Errors: ErrClock, ErrUnavailable, ErrOutcomeUnknown.
	SetBulk(ctx context.Context, mailbox mail.MailboxID) (since time.Time, err error)
}

// AddressKind is the kind of an address.
type AddressKind string

// The kinds of an address.
const (
	// KindAccount is an address with a mailbox and a password.
	KindAccount AddressKind = "account"
	// KindAlias is an address whose mail goes to its target.
	KindAlias AddressKind = "alias"
	// KindGroup is an address whose mail goes to each of its targets, the members.
	KindGroup AddressKind = "group"
)

// AddressState is the state of an account.
type AddressState string

// The states of an account. The empty state counts as enabled.
const (
	StateEnabled  AddressState = "enabled"
	StateDisabled AddressState = "disabled"
)

// Address is one generation of an address. A row is live when Kind is set and Removed is zero.
// Package account decides which generation counts.
type Address struct {
	Address mail.Address // canonical
	// Generation is the id of the removal that precedes the row; zero for the first row.
	Generation mail.MessageID
	// Kind is empty when the row does not exist.
	Kind AddressKind
	// Removed is the id of the removal that ended the generation; zero while the generation
	// lives. Removed is set once and never unset.
	Removed mail.MessageID
	// Password is the hash in PHC or modular crypt form.
	Password string
	State    AddressState
	// Created is the creation time of the row, to the microsecond.
	Created time.Time
	// Retention of the account's messages.
	Retention mail.Retention
	// Bulk is the moment that SetBulk returned, to the microsecond. Zero: the mailbox is not bulk.
	Bulk time.Time
	// Targets of an alias or a group: canonical, in the order of their texts. Nil: none. An account with
	// targets has moved: it was renamed to them.
	Targets []mail.Address
	// Origin names the generation whose mailbox the account has, after a rename. Zero: the account has the
	// mailbox of its own generation. Set together with Kind, and never changed.
	Origin Origin
	// Settings by name. A setting without a value is absent. Nil: none. Readers share the map.
	Settings map[string]string
}

// AddressChange names the columns of an address row to be written. A nil column stays unchanged.
//
// Targets and Settings are sets that several callers may change at once, also in several datacenters:
// every target and every setting lasts or goes by itself. The later change of the same target or
// setting wins. Of two changes at the same moment the removal wins.
type AddressChange struct {
	Kind      *AddressKind
	Removed   *mail.MessageID
	Password  *string
	State     *AddressState
	Created   *time.Time
	Retention *mail.Retention
	Bulk      *time.Time
	Origin    *Origin
	// AddTargets and RemoveTargets have no address in common.
	AddTargets, RemoveTargets []mail.Address
	// Settings to be written, by name; an empty value removes the setting.
	Settings map[string]string
}

// CompareTargets is the order of Address.Targets.
func CompareTargets(a, b mail.Address) int { return strings.Compare(a.String(), b.String()) }

// UnreadPart is an error of ListAddresses for a part of the list, such as a partition without a quorum. The list can be read
// on behind the part.
type UnreadPart struct {
	// Name is for people, such as "shard 5 of 128".
	Name string
	// Next is the position behind the part, for the parameter after; never empty.
	Next string
	Err  error
}

// Error implements error.
func (p *UnreadPart) Error() string { return p.Err.Error() }

// Unwrap returns Err.
func (p *UnreadPart) Unwrap() error { return p.Err }

// Addresses stores the addresses. No address changes while the clock is not trusted: a change with
// a time ahead would win over later changes.
type Addresses interface {
	// AddressRows returns all generations of a canonical address in the order of their
	// Generation, or no rows for an unknown address. Errors: ErrUnavailable, ErrCorrupt.
	AddressRows(ctx context.Context, a mail.Address) ([]Address, error)

	// ChangeAddress writes the named columns of one generation of an address, durably, and
	// creates the row if necessary. Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c AddressChange) error

	// ListAddresses returns about limit rows of a domain (all generations, also removed ones)
	// after the given local-part (empty: from the start). All rows of a local-part are side by
	// side. The order of local-parts is the engine's own and never changes. more reports whether
	// further rows may follow. Errors: ErrUnavailable, ErrCorrupt. An error with an UnreadPart concerns a part of the list:
	// the rows beside the error are the rows before the part.
	ListAddresses(ctx context.Context, domain, after string, limit int) (rows []Address, more bool, err error)

	// SearchAddresses is ListAddresses for the local-parts that begin with prefix, which is UTF-8. The
	// cost follows the rows returned; rows without the prefix cost nothing.
	SearchAddresses(ctx context.Context, domain, prefix, after string, limit int) (rows []Address, more bool, err error)
}

// Domain is a hosted domain.
type Domain struct {
	// Name is canonical, see mail.CanonicalDomain.
	Name string
	// Created is the time when the domain was added, to the microsecond.
	Created time.Time
	// Durability of mail, removals and accounts of the domain.
	Durability mail.Durability
	// Retention of the accounts that have none of their own.
	Retention mail.Retention
	// Settings by name, see Address.Settings.
	Settings map[string]string
}

// RemovedDomain is a domain that is no longer hosted.
type RemovedDomain struct {
	// Name is canonical.
	Name string
	// Since is the time of the removal; zero: unknown to the engine.
	Since time.Time
}

// DomainChange names the settings of a domain to be written. A nil setting stays unchanged.
type DomainChange struct {
	Durability *mail.Durability
	Retention  *mail.Retention
	// Settings to be written, see AddressChange.
	Settings map[string]string
}

// Domains stores the hosted domains, few enough to be listed whole. No domain changes while the
// clock is not trusted, see Addresses.
type Domains interface {
	// Domain returns a domain by name. Errors: ErrNotFound, ErrUnavailable, ErrCorrupt.
	Domain(ctx context.Context, name string) (Domain, error)
	// ListDomains returns all domains, by name. While a part of the store cannot be read, the list beside the error has
	// the domains of the other parts. Errors: ErrUnavailable, ErrCorrupt.
	ListDomains(ctx context.Context) ([]Domain, error)
	// RemovedDomains returns, by name, the domains that are no longer hosted and may have
	// addresses left. A list beside an error is as for ListDomains. Errors: ErrUnavailable, ErrCorrupt.
	RemovedDomains(ctx context.Context) ([]RemovedDomain, error)
	// PutDomain adds a domain that this datacenter does not host, durably. Settings from before the removal of the
	// domain are gone. Settings that another datacenter has given to the domain, and that arrive later, count where
	// d has none. Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	PutDomain(ctx context.Context, d Domain) error
	// ChangeDomain writes the named settings of a domain, durably. Changing an unknown domain
	// makes nothing visible. Errors: ErrClock, ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	ChangeDomain(ctx context.Context, name string, c DomainChange) error
	// RemoveDomain removes a domain, durably. An unknown domain is no error. The accounts of the
	// domain stay. Errors: ErrClock, ErrUnavailable, ErrOutcomeUnknown.
	RemoveDomain(ctx context.Context, name string) error
}

// Notes stores named texts for background work. All servers share the notes.
type Notes interface {
	// Progress returns the text of a note; empty: there is no note. Errors: ErrUnavailable,
	// ErrCorrupt.
	Progress(ctx context.Context, name string) (string, error)

	// SetProgress writes the text of a note, up to about 1 MiB: a position, or a result. Errors:
	// ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	SetProgress(ctx context.Context, name, text string) error
}

// WorkShare divides background work among the servers of a datacenter.
type WorkShare interface {
	// Mine reports whether the background work named key falls to the local server. Exactly one
	// server alive in the datacenter returns true; for a moment after a server came or went, two
	// servers or none. A server without knowledge of its neighbours returns false. An engine
	// for a single server always returns true.
	Mine(key string) bool
}
