// Package maildrop is a mailbox as a POP3 session sees it (RFC 1939): a list frozen at login,
// with message-numbers from 1, marks for removal, and a commit at the end.
//
//	Open -> Entry, Stat, Read ... Mark, Reset ... -> Commit (or nothing at all) -> Close
//
// # Invariants
//
//   - Only Commit changes what is stored. A Maildrop that is dropped removes nothing (RFC 1939
//     section 6).
//   - Commit returns nil only when every marked message is removed durably.
//   - The size of an entry is exactly the count of octets that Read gives (RFC 1939 section 11).
//   - Rows with equal unique-ids are one entry, and are removed together.
//
// # Exclusiveness
//
// A maildrop is not locked: RFC 1939 section 4 asks for an exclusive lock, so that no message
// changes or goes away before UPDATE, and here content never changes, numbers and sizes are
// frozen, and removal is idempotent. What a lock would still give, it gives at the price of
// stale locks and of coordination between datacenters. Two sessions may be open at once, in
// any datacenter. Messages that arrive after Open are not in the list. A message that another
// session removed meanwhile answers ErrRemoved to Read once its content is gone; removing it
// again is no error.
//
// # Memory
//
// A list takes about 32 octets for each message. A message that brought its unique-id along takes 4
// more and the text. Ids are not kept as unique-ids, and a recipient is kept once for about 256
// messages.
//
// Sessions that are opened with the same Lists share memory. Each Open reads the whole list from
// the store, so no session sees an old list. What was read is packed into blocks of about 256
// messages, and equal blocks are kept once. A message that comes or goes between two logins costs
// the later session one or two blocks of its own. A session has its marks to itself.
//
// # Concurrency
//
// A Maildrop belongs to one session and is not safe for concurrent use. A Lists is.
package maildrop
