// Package task runs the background work of a server: jobs that repeat, each on its own.
//
// A job works in small steps and ends soon after its context does; the next run continues with the
// rest. A failure is logged and counted, and the job runs again at its next turn. No job is needed
// to store, list or remove a message: jobs only remove data that no user can see any more.
//
// The jobs are:
//
//	floor    makes mailboxes with many removals cheap to list, and lets account.Directory make
//	         mailboxes bulk that have grown too large for one partition
//	reap     reclaims the content of removed messages
//	orphans  reclaims content that never got into a mailbox
//	purge    removes the messages in the mailboxes of removed accounts
//	expire   removes messages that are older than the retention of their account or domain
//
// The servers of a datacenter share the work (store.WorkShare): each run does the server's
// share, and counts the shares of other servers as "elsewhere". No job runs while the clock of the
// server is not trusted, or the servers differ in a setting that safety rests on. Expire also waits
// some minutes after a start, in which NTP would correct a wrong clock.
//
// # Check
//
// A Checker compares the index with the content on request: first from the entries of all mailboxes
// in the directory to their contents, then from all contents to the entries of their mailboxes. A
// run reads at the level All of store.Levels, at a limited rate, and judges no message younger than the in-flight
// window. The run settles findings in batches and then stores its position, so that a later run can
// resume, on this server or another.
//
// A missing entry is a finding only without any trace of a removal: in the trash, with the content,
// in the floor, the retention, or the end of the account. The run reads entries first, then the
// trash, then the content, so that no removal escapes. A lost entry looks like an entry that a failed
// delivery never wrote: so a repair adds no entries. Rebuilding does, for one mailbox, on the order
// of an operator.
package task
