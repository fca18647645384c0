// Package mail holds the values that all packages share: addresses, envelopes, message and mailbox
// ids, unique-ids and the trace header lines of RFC 5321 section 4.4.
//
// The package does no I/O and imports no package of the project. All values are plain, mostly
// comparable, and safe to copy.
package mail
