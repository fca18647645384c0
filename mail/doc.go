// Package mail holds the values that every other package speaks in: addresses, envelopes,
// message and mailbox ids, unique-ids and the trace header lines of RFC 5321 section 4.4.
//
// It does no I/O and imports none of our packages. All values are plain, comparable where
// that is useful, and safe to copy.
package mail
