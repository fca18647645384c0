// Package wire is the core that the POP3, SMTP and LMTP servers share: lines that end in
// CRLF, dot-stuffed texts, deadlines, the change to TLS, and an accept loop with limits and
// graceful stop. It knows no command of any protocol.
//
// A Server accepts connections and calls Config.Handle with a Conn for each. The handler
// reads commands with ReadLine and texts with DotReader or BodyReader, and writes with Write
// and DotWriter. What is written is kept back while a whole further command is already in
// the input buffer, so pipelined commands (RFC 2449 section 6.6, RFC 2920) get their answers
// in few packets; it is flushed before every read that has to wait.
//
// # Deadlines
//
// A command line has to arrive whole within the idle timeout. In a text the deadline moves on
// with every 16 KiB received, and on output with every 32 KiB taken, so that a peer that
// trickles octets is cut off as surely as a silent one.
//
// # Whether a reply came through
//
// Acknowledged and Taken tell a server whose client says nothing more, after a reply that
// promises something, whether the client can know of it.
//
// Watch finds out whether a client hangs up while its command waits.
//
// # Memory
//
// An idle connection holds 256 octets of input buffer. Buffers of 32 KiB are lent from a pool
// while there is something to read or write.
//
// # Concurrency
//
// A Conn belongs to its handler; only Interrupt and Close may be called from elsewhere. A
// Server is safe for concurrent use.
package wire
