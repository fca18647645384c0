// Package event describes the things that happen to messages, maildrops and settings, as plain values for a
// Listener. delivery, pop3server, task and admin report events; app names the listener.
//
// # Invariants
//
//   - No listener delays its caller: Happened returns at once, and drops an event for which it has no room.
//   - Without a listener no event is built.
//   - No event has a password, the secret of a token, or the text of a message.
package event

import (
	"context"
	"net/netip"
	"time"

	"popelago/mail"
)

// Kind names the thing that happened.
type Kind string

// CauseRemovalDoubt is the cause of events about messages after a failed removal: some, all or none are gone.
const CauseRemovalDoubt = "the removal was not confirmed"

// The kinds of events about mail. Each concerns a single mailbox.
const (
	// Accepted: a message was stored in a mailbox.
	Accepted Kind = "accepted"
	// Refused: a complete message was refused for a recipient. Cause has the reason.
	Refused Kind = "refused"
	// OverQuota: a complete message was refused for a recipient, because of a quota; or RCPT was refused because of it,
	// the first time in a while, see package delivery. Size then counts the octets that the sender declared.
	OverQuota Kind = "over-quota"
	// LoggedIn: a POP3 session read the list of a maildrop. Messages and Size count the list.
	LoggedIn Kind = "login"
	// LoginFailed: a login, or a request with a token, was refused. Cause has the reason, Address the address that
	// was tried, and Attempts the number of failures, see Failures.
	LoginFailed Kind = "login-failed"
	// Retrieved: RETR sent a whole message, for the first time in its session.
	Retrieved Kind = "retrieved"
	// Removed: QUIT or an administrator removed a message.
	Removed Kind = "removed"
	// Expired: a message was older than the retention, and was removed.
	Expired Kind = "expired"
	// Purged: a message of an account that had ended was removed.
	Purged Kind = "purged"
	// Restored: a removed message was brought back into a maildrop, or late mail was handed over to it, under another
	// id and the same unique-id.
	Restored Kind = "restored"
	// Unfetched: nobody fetches the mail of an account, see package task. Time is the run of the job alarms.
	Unfetched Kind = "unfetched"
	// Growing: a maildrop grows out of character, see package task. Messages counts the messages of the day.
	Growing Kind = "growing"
)

// The kinds of administrative actions. Each has an Actor.
const (
	// Accessed: an administrator has read, put, removed or restored mail of an account.
	Accessed Kind = "access"
	// Changed: an administrator has changed a domain, an account, an alias, a token or the server.
	Changed Kind = "change"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Accepted, Refused, OverQuota, LoggedIn, LoginFailed, Retrieved, Removed, Expired, Purged, Restored, Unfetched, Growing, Accessed, Changed}
}

// Administrative reports whether k is the kind of an administrative action.
func (k Kind) Administrative() bool { return k == Accessed || k == Changed }

// Event is one thing that happened. A field that does not apply, or is unknown, is zero.
type Event struct {
	Kind Kind
	// Time, Server and Datacenter name the moment and the place, see Place.
	Time       time.Time
	Server     string
	Datacenter string

	// Mailbox is the mailbox of the account.
	Mailbox mail.MailboxID
	// Address is the canonical address of the account; for a domain its name.
	Address string
	// Recipient is the address that RCPT named, if it differs from Address.
	Recipient string
	// Sender is the reverse-path of the envelope, without < and >.
	Sender string

	// Message is the id of the message.
	Message mail.MessageID
	// HeaderID is the field Message-ID of the message, see HeaderID; empty: none, or unknown.
	HeaderID string
	// UIDL is the unique-id of a message whose unique-id does not follow from its id.
	UIDL mail.UIDL
	// Size counts octets: of the message as RETR sends it, of a refused text, or of a list.
	Size int64
	// Messages counts the messages of a list.
	Messages int64
	// Attempts counts the failed logins that the event stands for.
	Attempts int64

	// Remote is the client's address; the zero value for a unix socket.
	Remote netip.Addr
	// Protocol names the protocol of the client, such as POP3, POP3S, ESMTPS, LMTP, HTTP.
	Protocol string
	// Session is the id of the session, as the log has it.
	Session string
	// Reached is the durability that Accepted or Removed reached.
	Reached mail.Reached
	// Cause is the reason of a refusal, or the doubt about a removal or a change.
	Cause string

	// Actor is the administrator: the id of a token, "configured" or "socket".
	Actor string
	// Operation names the administrative action, as the API does.
	Operation string
	// Before and After describe the subject of a change.
	Before, After string

	// Recorded: a Recorder has a durable record of the event.
	Recorded bool
}

// Of returns the event with a message. The unique-id is a copy: rows share the memory of a list.
func (e Event) Of(row mail.Message) Event {
	e.Message, e.Size, e.UIDL = row.ID, row.Size, mail.UIDL([]byte(row.UIDL))
	return e
}

// Listener gets events. Safe for concurrent use.
type Listener interface {
	// Happened takes an event, and must not wait for anything.
	Happened(Event)
}

// Recorder keeps records of events. Safe for concurrent use.
type Recorder interface {
	// Record passes an event on as a Listener does, and returns nil once a record of the event is durable.
	// Errors: those of package store.
	Record(ctx context.Context, e Event) error
}

// Place names the origin of events.
type Place struct {
	Server, Datacenter string
	// Now returns the time.
	Now func() time.Time
}

// Stamp fills in the place and, where the event has none, the time.
func (p Place) Stamp(e Event) Event {
	e.Server, e.Datacenter = p.Server, p.Datacenter
	if e.Time.IsZero() {
		e.Time = p.Now()
	}
	return e
}
