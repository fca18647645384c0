// Package smtpserver speaks SMTP (RFC 5321) and LMTP (RFC 2033): commands, parameters, replies.
// What a recipient is and what happens to a message is decided by package delivery; lines,
// texts, deadlines, TLS and connections are package wire's.
//
// A Server speaks one of the two protocols on any number of listeners. It takes mail for
// local mailboxes only: it never relays, and so it does not offer AUTH.
//
// # Differences between the protocols
//
//	          SMTP                            LMTP
//	hello     HELO, EHLO                      LHLO
//	message   one reply; if some recipients   one reply for each accepted RCPT,
//	          could not be stored it is 451   in order (RFC 2033 section 4.2)
//
// # Extensions
//
// PIPELINING (RFC 2920), 8BITMIME (RFC 6152), SIZE (RFC 1870), ENHANCEDSTATUSCODES (RFC 2034),
// SMTPUTF8 (RFC 6531), CHUNKING (RFC 3030, without BINARYMIME), STARTTLS (RFC 3207).
//
// # Where a text ends
//
// After DATA only CRLF "." CRLF ends a text, and after BDAT only its count does. A text with a
// bare CR or LF is read to that end and then refused, so nothing that is part of a text is
// ever taken for a command (SMTP smuggling). With Config.NormalizeLF a text ends in the same places
// and nowhere else; a bare LF in it then ends a line, behind which dot-stuffing is taken away, and
// is stored as CRLF. A bare CR is refused always. Where the end of a text cannot be known any more
// (a timeout in the middle of it, a BDAT command that cannot be read) the connection is
// closed. Command lines must end in CRLF too.
//
// # Invariants
//
//   - 250 after a text means what a nil error of delivery means: stored and visible.
//   - A client sees fixed texts and its session id, never the text of an error and nothing that
//     it said itself.
//   - A connection needs the same few buffers for a message of any size.
package smtpserver
