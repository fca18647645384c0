// Package task runs the background work of a server: jobs that repeat, each on its own.
//
// A job never holds anything up: it works in small steps, ends soon after its context does,
// and what it did not finish it does the next time. A failure is logged and counted, and the
// job runs again at its next turn. Nothing here is needed for a message to be stored, listed
// or removed; it only takes away what nobody can see any more.
//
// The jobs are:
//
//	floor    mailboxes that much was removed from are made cheap to list; those that have grown
//	         too large for one place become bulk, which account.Directory does
//	reap     content of removed messages
//	orphans  content that never got into a mailbox
//	purge    messages in the mailboxes of removed accounts
//	expire   messages that are older than the retention of their account or domain
//
// The servers of a datacenter share the work (store.WorkShare): whatever is done on one is a
// part, and what falls to others is counted as "elsewhere". While the clock of a server cannot
// be trusted, or the servers differ in what this rests on, it does none; and expire waits some
// minutes after a start, in which NTP would put a wrong clock right.
//
// # Check
//
// A Checker compares the index with the content, when it is asked to: first from the entries of
// all mailboxes in the directory to their contents, then from all contents to the entries of the
// mailboxes that they are for. It reads at the level All of store.Levels, at a rate, and judges nothing younger
// than the in-flight window. Findings are settled in batches, and then its position is kept, so
// that a later run goes on from there, on this server or another.
//
// A missing entry is only missing if nothing tells that its message was removed: the trash, what
// the content says, the floor, retention, or the end of the account. Entries are looked for
// first, then the trash, then the content, so that no removal slips through. Nothing tells a
// lost entry from one that a failed delivery never wrote: a repair adds none. Rebuilding does,
// for one mailbox, at the word of a person.
package task
