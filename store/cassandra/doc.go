// Package cassandra keeps mail in Apache Cassandra 4.1 or 5.0, in one or more datacenters. It
// is one of the engines of package store.
//
// # No coordination
//
// No statement is conditional, none reads or writes at SERIAL or LOCAL_SERIAL, and there are
// no counters. Ids are made without asking anybody, and every statement writes with an
// explicit timestamp that is chosen once for an operation. So every write may be repeated,
// speculated, hinted and replayed in any order with the same result.
//
// # Tables
//
//	mailbox   ((mailbox, segment), message)  size, recipient, uidl, origin, bulk_since (static)
//	content   ((message, chunk))             data; chunk 0 also: size, chunks, codec, key_id,
//	                                         recipients, reverse_path, removed
//	trash     ((datacenter, hour, shard), mailbox, message)  removed_at
//	floor     ((mailbox))                    floor
//	address   ((domain, shard), local, generation)  kind, removed, password, state, created,
//	                                         retention, bulk
//	domain    ((name))                       created, removed
//	ledger    ((datacenter, hour), entered, fingerprint, message)  until, origin,
//	                                         content_stored, content_reached, content_size,
//	                                         mailboxes, recipients, outcomes
//	progress  ((name))                       position, begun
//	note      ((name))                       text
//	server    ((datacenter), id)             name, address, version, started, clock, window
//	watermark ((server))                     high
//	schema_version ((name), version)         applied
//
// A mailbox is a two-phase set. A row is inserted with the timestamp that is inside its
// message id, and removed with a later one: max(now, id time)+1. Whatever the clocks and the
// order of arrival, a removal wins. A row without size is not a message.
//
// All rows of an ordinary mailbox are in segment 0. A bulk mailbox has a segment for each day,
// numbered since 1970 (UTC), for messages with ids of that day, beginning with those from the
// moment that the address tells; older ones stay where they are. Which segment a message goes to
// depends on its id and on that moment, which lies ahead when it is set, so that all servers know
// of it in time. A server that does not know puts messages in segment 0, where everybody looks,
// too. That a mailbox is bulk is told by a marker in segment 0 (see marker), which is there
// before anything is in another one; its row alone has a timestamp that is not its id's. See
// docs/decisions/0009-bulk-mailboxes.md.
//
// Content is cut into chunks of 256 KiB, each a partition of its own. It is written with the
// timestamp of its id, chunk 0 last, so what has a chunk 0 is complete. Chunk 0 names all
// recipients' mailboxes; removed is the set of those that gave it up (see Sweep).
//
// Texts from outside that may not be UTF-8 are stored as they are if they are, and else in
// hexadecimal digits behind a mark (see encodeText).
//
// # Consistency
//
// Reads and writes of sessions are LOCAL_QUORUM, or EACH_QUORUM at the level Each (see
// level.go). They go to nodes of the configured datacenter only, unless all of those are away
// and Config.Failover names another (failover.go). Afterwards reads are EACH_QUORUM until the local
// nodes know what they missed (confirm.go, absence.go, handoff.go). Doctor asks every node about
// itself. A content that is missing locally is read again at EACH_QUORUM, because an index row
// may arrive before its content. What background work takes away it has read at ALL.
//
// # Load
//
// How many statements are under way is bounded by a limit that falls while the cluster cannot
// keep up and rises again, and so is how many wait: the rest fail at once, unsent. Background
// work that reads at ALL has a share. A read at LOCAL_QUORUM that a node lets wait is given to
// another one, too; writes are not.
//
// # Errors
//
// A write is answered with store.ErrUnavailable only if no attempt can have reached a replica;
// otherwise with store.ErrOutcomeUnknown. Reads fail with store.ErrUnavailable.
//
// # Schema
//
// Apply makes and upgrades the tables, and is run by hand once. Open refuses a cluster whose
// schema is missing, older or newer than this program's.
package cassandra
