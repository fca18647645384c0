// Package smtpserver receives mail over SMTP (RFC 5321) and LMTP (RFC 2033): commands, parameters,
// replies. Package delivery checks recipients and stores messages; package wire handles lines, texts,
// deadlines, TLS and connections.
//
// A Server speaks one of the two protocols on any number of listeners. A Server accepts mail for
// local mailboxes only. Since it never relays, it does not offer AUTH.
//
// # Differences between the protocols
//
//	          SMTP                            LMTP
//	hello     HELO, EHLO                      LHLO
//	message   one reply; 451 if the message   one reply for each accepted RCPT,
//	          is not stored for everybody     in order (RFC 2033 section 4.2)
//
// # Extensions
//
// PIPELINING (RFC 2920), 8BITMIME (RFC 6152), SIZE (RFC 1870), ENHANCEDSTATUSCODES (RFC 2034),
// SMTPUTF8 (RFC 6531), CHUNKING (RFC 3030, without BINARYMIME), STARTTLS (RFC 3207).
//
// # Where a text ends
//
// After DATA only CRLF "." CRLF ends a text, and after BDAT only the count of octets does. A text
// with a bare CR or LF is read to its end and then refused, so no part of a text is ever executed as
// a command (SMTP smuggling). Config.NormalizeLF does not change the end of a text. With NormalizeLF
// a bare LF ends a line: the dot-stuffing of the next line is removed, and the LF is stored as CRLF.
// A bare CR is always refused. If the end of a text is unknown (a timeout in the middle of a text, a
// malformed BDAT command), the connection is closed. Command lines must end in CRLF too.
//
// # Invariants
//
//   - 250 after a text means that package delivery has stored the message, and the message is
//     visible.
//   - Replies are fixed texts, message ids and session ids. No reply repeats the text of an error or
//     input of the client.
//   - A connection needs the same few buffers for a message of any size.
//
// # Files
//
// Package pop3server has the same files for the same jobs: config.go, server.go, session.go (the
// loop), commands.go (the table of commands), reply.go, harmless.go, log.go, metrics.go; then a
// file for each command or group of commands. promise.go finds replies that a client never got.
package smtpserver
