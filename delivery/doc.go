// Package delivery accepts messages: it checks recipients, checks and buffers texts, and stores
// messages in mailboxes. The SMTP and LMTP servers call it; it calls account, ledger and store.
//
//	Check                      each RCPT: is the recipient a mailbox here?
//	Begin, ReadFrom, Finish    a message: text, then content, then rows of the index
//	ReplyLost                  the sender may not know of its success
//
// The files in the order of a message:
//
//	deliver.go                               Check
//	incoming.go, room.go                     Begin, ReadFrom, Finish; the space for incoming texts
//	lineend.go, text.go, opening.go          the checks of a text, and the gap before it
//	store.go, write.go, age.go, ended.go     Finish: content and rows
//
// # Invariants
//
//   - A nil error for a recipient means durable, and visible to the next session that lists the
//     mailbox. An unknown outcome is an error.
//   - Content before index (package store says why). The stored content is the Received line, an
//     empty line if the text has no header (see opening), and the text as it arrived, octet for
//     octet. Line ends are CRLF (Envelope.NormalizeLF replaces a bare LF), the content ends in CRLF,
//     and Message.Size is exactly the number of octets that RETR sends (RFC 1939 section 11).
//   - The MessageID is chosen after the last octet of the text, so the id is young when the rows are
//     written, however slow the sender is. Background jobs rely on an upper limit: a row that is not
//     written within MaxIDAge of its id (less, if Config.Window is short) is removed again, and the
//     delivery fails.
//   - A recipient whose account this server ends between RCPT and the reply is refused, and the row
//     removed. Mail for an account that another server ended is late mail, which package task
//     reports.
//   - All recipients of a transaction share one id and one content. A mailbox gets a row for each address
//     that RCPT named: the second and further rows of a mailbox have ids and contents of their own.
//   - A message that its sender repeats, after a failure or a lost reply, gets the missing rows and no
//     other: package ledger plans them. A delivery without fault pays no statement for the ledger.
//   - No buffer holds a whole message in memory.
//
// # Refused texts
//
// Texts with a bare CR or LF (RFC 5321 section 2.3.8; Envelope.NormalizeLF accepts LF), texts over
// Config.MaxMessageSize, and texts with more than Config.MaxReceived Received lines (section 6.3).
// Return-Path lines in the text stay, below ours: section 4.4 allows their removal, but then the
// fetched message would differ from the message that was sent.
//
// # Concurrency
//
// A Deliverer is safe for concurrent use; an Incoming belongs to one session.
package delivery
