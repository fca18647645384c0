// Package task runs the background work of a server: jobs that repeat, each on its own.
//
// A job never holds anything up: it works in small steps, ends soon after its context does,
// and what it did not finish it does the next time. A failure is logged and counted, and the
// job runs again at its next turn. Nothing here is needed for a message to be stored, listed
// or removed; it only takes away what nobody can see any more.
//
// The jobs are:
//
//	floor    mailboxes that much was removed from are made cheap to list
//	reap     content of removed messages
//	orphans  content that never got into a mailbox
//	purge    messages in the mailboxes of removed accounts
//	expire   messages that are older than the retention of their account or domain
//
// The servers of a datacenter share the work (store.Store.Mine): whatever is done on one is a
// part, and what falls to others is counted as "elsewhere". While the clock of a server cannot
// be trusted it does none.
package task
