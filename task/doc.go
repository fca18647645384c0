// Package task runs the background work of a server: jobs that repeat, each on its own.
//
// A job never holds anything up: it works in small steps, ends soon after its context does,
// and what it did not finish it does the next time. A failure is logged and counted, and the
// job runs again at its next turn. Nothing here is needed for a message to be stored, listed
// or removed; it only takes away what nobody can see any more.
//
// The jobs are:
//
//	sweep  content that no mailbox refers to any more (store.Sweep)
//	purge  messages in the mailboxes of removed accounts
package task
