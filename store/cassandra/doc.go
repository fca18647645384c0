// Package cassandra stores mail in Apache Cassandra 4.1 or 5.0, in one or more datacenters. It implements
// store.Engine; app opens it. DESIGN.md explains how the parts work together.
//
// # Tables
//
// The first pair of parentheses holds the partition key.
//
//	mailbox         ((mailbox, segment), message)  size, recipient, uidl, origin, original,
//	                                               bulk_since (static)
//	content         ((message, chunk))             data; chunk 0 also: size, chunks, codec, key_id,
//	                                               recipients, reverse_path, removed
//	trash           ((datacenter, hour, shard), mailbox, message)  removed_at, entry, bare
//	floor           ((mailbox))                    floor, held
//	address         ((domain, shard), local, generation)  kind, removed, password, state, created,
//	                                               retention, bulk, targets, settings, touched,
//	                                               origin
//	domain          ((name))                       created, removed, durability, retention, settings,
//	                                               touched
//	access_token    ((id))                         hash, role, scopes, note, maker, created, expires,
//	                                               revoked, used
//	retrieval       ((mailbox, segment), message)  at
//	login           ((mailbox))                    at
//	trace           ((day, shard), key, at, id)  data
//	audit           ((day, shard), key, at, id)  data
//	queue           ((day, shard), key, at, id)  data
//	mark            ((list), name)               at, id (also the list trash)
//	ledger          ((datacenter, hour), entered, fingerprint, message)  until, origin,
//	                                               content_stored, content_reached, content_size,
//	                                               mailboxes, recipients, originals, outcomes
//	progress        ((name))                       position, begun
//	note            ((name))                       text
//	server          ((datacenter), id)             name, address, version, started, clock, window, admin
//	watermark       ((server))                     high
//	schema_version  ((name), version)              applied
//
// # Invariants
//
// No statement is conditional, none reads or writes at SERIAL or LOCAL_SERIAL, and no table has counters.
// Every write has an explicit timestamp, chosen once for an operation. So every write may be repeated,
// speculated, hinted and replayed in any order with the same result.
//
// A mailbox is a two-phase set. A row is inserted with the timestamp inside its message id, and removed
// with a later timestamp: max(now, id time)+1. So a removal wins, whatever the clocks and the order of
// arrival. A row without size is not a message.
//
// A note of a retrieval (table retrieval) is written with a timestamp that falls with its time: so the
// earliest note for a message stays, without a read. No note changes a mailbox.
//
// Content is written with the timestamp of its id, chunk 0 last. A content with a chunk 0 is complete. codec is
// null or 0 for raw contents, see package codec.
//
// Background work removes a row or a content only after reads at ALL, and only when its id is older than
// the in-flight window.
//
// A write fails with store.ErrUnavailable only if no attempt can have reached a replica, and otherwise
// with store.ErrOutcomeUnknown. Reads fail with store.ErrUnavailable.
//
// # Concurrency
//
// A Store and its views are safe for concurrent use. Close ends the loops: heartbeat, clock watch,
// failover, node watch.
package cassandra
