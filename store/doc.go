// Package store is the storage contract: the one interface that every engine implements, its
// types and its errors. It holds no engine. store/embedded keeps everything in one folder;
// store/storetest is the suite that every engine runs, and a wrapper that injects faults.
//
// # What is stored
//
//	domain    name                          -> settings
//	address   (address, generation)         -> kind, password, state, removed
//	mailbox   mailbox -> set of (message id -> size, recipient, unique-id, origin)
//	content   message id                    -> octets, reverse-path, mailboxes
//	attempt   fingerprint, id, moment       -> what became of a delivery that may be repeated
//
// A mailbox is a two-phase set: a row is added, then removed, and removal wins for good.
// Adding a row that was removed before changes nothing and is no error. Content is immutable
// and shared by all recipients of one transaction.
//
// # Order of writes
//
// Content before index: NewContent, write, PutContent, then AddMessages. Index before
// content: RemoveMessages takes the rows away, Sweep the content later. So a crash leaves
// unused content behind, never a row without content. PutContent may buffer: content is
// durable once the AddMessages that names it has returned.
//
// # Concurrency and errors
//
// All methods of a Store are safe for concurrent use and return soon after their context
// ends. Every error wraps one of the sentinels of this package; compare with errors.Is. An
// engine never returns nil for "cannot".
package store
