// Package maildrop is a mailbox as a POP3 session sees it (RFC 1939): a list frozen at login,
// with message-numbers from 1, marks for removal, and a commit at the end.
//
//	Open -> List, Stat, Read ... Mark, Reset ... -> Commit (or nothing at all)
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
// # Concurrency
//
// A Maildrop belongs to one session and is not safe for concurrent use.
package maildrop
