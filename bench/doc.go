// Package bench is a load generator for mail servers. It delivers messages by LMTP and SMTP, polls,
// fetches and removes them by POP3, and checks afterwards that the server kept its promises. It
// works against any server and imports no package of this one.
//
// # Callers
//
// The subcommands of "popelago bench", and tests that need load or a check in-process. Deliver,
// Poll, Drain, Idle, Seed and Verify each take a config and return a Report with rates,
// latency percentiles and errors grouped by reply.
//
// # Messages
//
// The token in the first header line determines the whole message:
//
//	X-Bench-Id: b-<seed, hex>-<number>-<size in octets>-<p plain | a awkward | r realistic>
//	X-Bench-Id: b-5f3a9c01-1042-8192-p
//
// So a reader of a maildrop can generate the message again and compare it octet by octet, from that
// line to the end. The lines before it are the server's trace header.
//
// # Journal
//
// Deliver and Drain write the server's replies to a Journal. Verify reads the journal and decides
// which messages each maildrop must have. See Journal for the form and verdict.go for the rules.
//
// # Cost
//
// The generator often shares a machine with the measured server. It has one goroutine, one buffer
// and one histogram per connection, and allocates nothing per message for deliveries and nothing
// per octet for retrievals.
package bench
