// Package trace keeps records of events, and finds them again: the trace answers "where is that message?", the
// audit answers "who was it?". app passes the events of all other packages to a Keeper; admin asks a Reader.
//
// # Records
//
// A record is a row of a journal of package store. An event has a row for each way to find it:
//
//	trace   a ADDRESS   mail accepted, refused, retrieved, removed, expired; accesses of administrators
//	        l ADDRESS   logins
//	        m ID        the same as "a", for one message id
//	        h HASH      mail accepted and refused, by the field Message-ID
//	        u UIDL      the same as "m", for a unique-id that does not follow from the message id
//	audit   a ADDRESS   logins, failed logins, retrievals, removals, administrative actions
//	        d DOMAIN    administrative actions in the domain
//	        *           all administrative actions
//	        f           all failed logins
//
// # Invariants
//
//   - No delivery, login, retrieval or removal waits for a record, except where Config.Required asks for it.
//   - Memory is bounded. A store that is slower than the events costs records, which are counted
//     (popelago_trace_dropped_total).
//   - An answer that may lack records of a datacenter says so.
//
// A Keeper and a Reader are safe for concurrent use. Close writes the waiting records, within a time.
package trace
