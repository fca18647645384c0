// Package maildrop presents a mailbox to a POP3 session (RFC 1939): a list frozen at login, with
// message-numbers from 1, marks for removal, and a commit at the end.
//
//	Open -> Entry, Stat, Read ... Mark, Reset ... -> Commit (or nothing at all) -> Close
//
// # Invariants
//
//   - Only Commit changes the store. A Maildrop that is never committed removes no message (RFC
//     1939 section 6).
//   - Commit returns nil only when every marked message is removed durably.
//   - The size of an entry is exactly the count of octets that Read returns (RFC 1939 section 11).
//   - Rows with equal unique-ids are one entry, and are removed together.
//
// # Exclusiveness
//
// A maildrop is not locked. RFC 1939 section 4 asks for an exclusive lock, so that no message changes
// or disappears before UPDATE. In this store content never changes, numbers and sizes are frozen, and
// removal is idempotent. A lock would add little, at the price of stale locks and of coordination
// between datacenters. Two sessions may be open at once, in any datacenters. Messages that arrive
// after Open are not in the list. Read of a message that another session has removed returns
// ErrRemoved once the content is gone; removing the message again is no error.
//
// # Memory
//
// A list takes about 32 octets for each message. A message with a unique-id of its own takes 4 octets
// more, and the text of the unique-id. The unique-ids that derive from ids take no memory, and a
// recipient is kept once for about 256 messages.
//
// Sessions with the same Lists share memory. Each Open reads the whole list from the store, so no
// session sees an old list. The list is packed into blocks of about 256 messages, and equal blocks
// are kept once. A message that arrives or is removed between two logins costs the later session one
// or two blocks of its own. Marks are never shared.
//
// # Concurrency
//
// A Maildrop belongs to one session and is not safe for concurrent use. A Lists is.
package maildrop
