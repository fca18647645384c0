// Package wire serves line protocols: lines that end in CRLF, dot-stuffed texts, deadlines, the
// change to TLS, and an accept loop with limits and graceful stop. The POP3, SMTP and LMTP servers
// share the package. Package wire knows the form of a command, and no command of any protocol.
//
// A Server accepts connections and calls Config.Handle with a Conn for each. The handler reads
// commands with ReadLine and texts with DotReader or BodyReader, and writes with Write and
// DotWriter. Output is held back while a whole further command is in the input buffer, so
// pipelined commands (RFC 2449 section 6.6, RFC 2920) get their replies in few packets. Every read
// that has to wait flushes the output first.
//
// # Deadlines
//
// A command line has to arrive whole within the idle timeout. The deadline of a text is renewed
// after every 16 KiB received, the deadline of output after every 32 KiB sent. A peer that
// trickles octets is cut off as surely as a silent peer.
//
// # Acknowledged replies
//
// A reply may promise that a message is stored. Acknowledged and AwaitAcknowledgement report
// whether the peer's system has received the reply, for a client that sends nothing more.
//
// Watch reports a client that hangs up while its command waits.
//
// # Memory
//
// An idle connection holds 256 octets of input buffer, and a stack of 4 KiB, also with TLS (see records). Buffers of 32 KiB are lent from a pool
// while there is input to read or output to write.
//
// # Concurrency
//
// A Conn belongs to its handler. A Server is safe for concurrent use.
package wire
