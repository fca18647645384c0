// Package delivery is what accepting a message means: which recipients there are, what a
// message may look like, and how it gets into their mailboxes. The SMTP and LMTP servers call
// it; it calls account and store.
//
//	Check                      each RCPT: is there such a recipient?
//	Begin, ReadFrom, Finish    a message: spool, then content, then index
//	Deliver                    the three together, for a text that comes in one piece
//
// # Invariants
//
//   - A nil error for a recipient means durable, and visible to whoever lists the mailbox next.
//     Unsure is an error. Nothing but nil means stored.
//   - Content before index (package store says why). The stored content is the Received line
//     followed by the text as it came, octet for octet. Its line ends are CRLF, it ends in
//     CRLF, and Message.Size is exactly what RETR sends (RFC 1939 section 11).
//   - The MessageID is chosen when all of the text is spooled, so however slow the sender was,
//     it is young when the rows are written. A row that could not be written within MaxIDAge
//     of its id is removed again and the delivery fails: background jobs rely on it.
//   - All recipients of a transaction share one id and one content. A mailbox that is reached
//     by two of them gets one entry.
//   - Nothing holds a whole message in memory.
//
// # What is refused
//
// Texts with a bare CR or LF (RFC 5321 section 2.3.8), texts over Config.MaxMessageSize, and
// texts that came by Config.MaxReceived servers before (section 6.3). Return-Path lines in the
// text stay where they are, below ours: section 4.4 lets us remove them, but then what is
// fetched would not be what was sent.
//
// # Repetition
//
// A sender repeats what it got no success for: after a lost reply, after an unknown outcome,
// and by SMTP, which has one reply for all recipients, when some of them could not be stored.
// Today the repetition is a new message with an id of its own, so a recipient may get two
// copies (RFC 5321 section 6.1 allows it); none is ever lost. Incoming.Finish is where a
// repetition would be recognized: all of the text has been seen and no id is chosen yet.
//
// # Concurrency
//
// A Deliverer is safe for concurrent use; an Incoming belongs to one session.
package delivery
