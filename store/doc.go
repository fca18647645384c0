// Package store is the storage contract: the roles of a store, their types and their errors. The
// package contains no engine. store/embedded keeps all data in one folder, store/cassandra keeps
// the data in a cluster. store/storetest contains the suite that every engine runs, and wrappers
// that inject faults.
//
// # Roles
//
//	Mail       contents and mailboxes             delivery, maildrop, task
//	Directory  addresses, domains, tokens         account, task, token
//	Ledger     attempts of deliveries             delivery
//	Upkeep     background work, checks, clock     task, admin
//	Journal    traces, audits, waiting events     trace, webhook
//
// A package takes the roles it needs, at the levels of Levels. An Engine implements every role.
// Store carries the roles of an open engine.
//
// # Data
//
//	domain    name                          -> created, durability, retention, removed, settings
//	address   (address, generation)         -> kind, removed, password, state, created, retention, bulk,
//	                                           set of targets, settings
//	mailbox   mailbox -> set of (message id -> size, recipient, original, unique-id, origin)
//	content   message id                    -> octets, size, reverse-path, mailboxes, removed
//	token     id                            -> hash, role, scopes, note, maker, created, expires, revoked, used
//	attempt   (fingerprint, id, entered)    -> until, origin, content stored, reached and size, recipients
//	removal   (mailbox, message id)         -> removed at, row as it was; until the content is gone
//	retrieval (mailbox, message id)         -> first retrieved at; until the message is gone, or for a time
//	login     mailbox                       -> last login at
//	note      name                          -> text (Notes)
//	journal   (name, key, day, at, id)      -> data; for a time
//	mark      (list, name)                  -> the latest position, see Mark; for a time
//
// A mailbox is a two-phase set: a row is added, then removed, and the removal wins permanently.
// Adding a removed row again changes nothing and is no error. Content is immutable. All recipients
// of a transaction share the content.
//
// # Order of writes
//
// Content before index: NewContent, write, PutContent, then AddMessages. Index before content:
// RemoveMessages removes the rows, Sweep removes the content later. A crash therefore leaves unused
// content behind, never a row without content. PutContent may buffer: content is durable once the
// AddMessages that names the content has returned.
//
// # Concurrency and errors
//
// All methods of an engine are safe for concurrent use and return soon after their context ends.
// Every error wraps a sentinel of this package; compare with errors.Is. An engine never returns nil
// for "cannot".
package store
