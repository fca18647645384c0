// Package bench is a load generator for mail servers: it speaks LMTP and SMTP to bring
// messages in and POP3 to poll, fetch and remove them, and it can check afterwards that the
// server kept its word. It works against any server and imports nothing of this one.
//
// # What calls it
//
// The subcommands of "popelago bench", and tests that want load or a check in-process.
// Deliver, Poll, Drain, Idle, Seed, Verify and Raw each take a config and return a Report with
// rates, latency percentiles and errors grouped by reply.
//
// # Messages
//
// A message follows wholly from its token, which travels in its first header line:
//
//	X-Bench-Id: b-<seed, hex>-<number>-<size in octets>-<p plain | a awkward>
//	X-Bench-Id: b-5f3a9c01-1042-8192-p
//
// so whoever meets a message in a maildrop can generate it again and compare it octet by
// octet, from that line to the end. What stands before it is the server's trace header.
//
// # Journal
//
// Deliver and Drain write what they were told to a Journal, Verify reads it and decides what
// each maildrop has to hold. See Journal for the form and verdict.go for the rules.
//
// # The bare cluster
//
// Raw does without any server: it writes to a Cassandra cluster what one delivery needs, in a
// keyspace of its own, for comparison. With RawConfig.LWT it also takes a UID and a MODSEQ for
// each message, as stores do that number their messages. That is the only place of this tree
// with conditional statements and with reads at SERIAL. They are here to show what the design
// saves, and touch nothing of a mail store: no server, no task and no schema command uses
// them. They leave rows in system.paxos, so a cluster that is to be proved free of such rows
// must not have been measured this way.
//
// # Cost
//
// The generator often shares a machine with the server it measures. It keeps one goroutine,
// one buffer and one histogram per connection, and allocates nothing per message on the way
// in and nothing per octet on the way out.
package bench
