// Package quota decides whether a message exceeds the quota of a mailbox or of a domain. delivery asks at
// RCPT and at the end of the text; pop3server reports removals; task measures domains; admin shows the usage.
//
//	Admit      RCPT: may the message be accepted?
//	Reserve    the end of the text: a place for the message, until Claim.Done
//	Removed    a session has removed messages
//
// # Derived, not counted
//
// The usage of a mailbox is the sum over its list. A Keeper remembers the usage of a mailbox for Config.TTL,
// or for twenty times the duration of the read if longer, and adds the deliveries and removals of the local
// server. Deliveries of other servers count after the next read. So a maildrop can exceed its quota by the
// mail that other servers accept in that time, and, between datacenters, by the mail that has not arrived
// yet; never by more than one message of the local server.
//
// The usage of a domain is measured in the background, see NoteDomain.
//
// # Refusals
//
// A refusal is based on a read of the last second. A permanent refusal needs more: the limits and the usage
// are read again from every datacenter, and deliveries that the last read may or may not have seen do not
// count. An unknown usage is an error of the store, which is temporary.
//
// # Cost
//
// A recipient without quota costs nothing. Memory is bounded by Config.Size mailboxes of about 300 octets
// each.
//
// # Concurrency
//
// A Keeper is safe for concurrent use. A Claim belongs to one goroutine.
package quota
