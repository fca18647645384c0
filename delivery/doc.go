// Package delivery is what accepting a message means: which recipients there are, what a
// message may look like, and how it gets into their mailboxes. The SMTP and LMTP servers call
// it; it calls account and store.
//
//	Check                      each RCPT: is there such a recipient?
//	Begin, ReadFrom, Finish    a message: spool, then content, then index
//	Deliver                    the three together, for a text that comes in one piece
//	ReplyLost                  the sender may not know of its success
//	Share                      reads and tells what other servers have to know
//
// # Invariants
//
//   - A nil error for a recipient means durable, and visible to whoever lists the mailbox next.
//     Unsure is an error. Nothing but nil means stored.
//   - Content before index (package store says why). The stored content is the Received line, an
//     empty line if the text has no header (see opening), and the text as it came, octet for octet.
//     Its line ends are CRLF (Envelope.NormalizeLF makes some so), it ends in CRLF, and Message.Size
//     is exactly what RETR sends (RFC 1939 section 11).
//   - The MessageID is chosen when all of the text is spooled, so however slow the sender was,
//     it is young when the rows are written. A row that could not be written within MaxIDAge
//     of its id (less, if Config.Window is short) is removed again and the delivery fails:
//     background jobs rely on it.
//   - A recipient whose account this server ends between RCPT and the reply is refused, and the row
//     removed. What another server ended in the meantime is late mail, which package task reports.
//   - All recipients of a transaction share one id and one content. A mailbox that is reached
//     by two of them gets one entry.
//   - Nothing holds a whole message in memory.
//
// # What is refused
//
// Texts with a bare CR or LF (RFC 5321 section 2.3.8; Envelope.NormalizeLF takes LF), texts over Config.MaxMessageSize, and
// texts that came by Config.MaxReceived servers before (section 6.3). Return-Path lines in the
// text stay where they are, below ours: section 4.4 lets us remove them, but then what is
// fetched would not be what was sent.
//
// # Repetition
//
// A sender repeats what it got no success for: after a lost reply, after an unknown outcome,
// and by SMTP, which has one reply for all recipients, when some of them could not be stored.
// Such an attempt is entered in a ledger: fingerprint of network, reverse-path and text; id;
// size; and what is known about each row. A healthy delivery is not, and pays nothing for it.
// Finish looks for what the fingerprint has left, takes it, and
//
//   - skips the recipients that have the message, whatever became of it in their mailboxes;
//   - writes the other rows under the old id, exactly as they were, if its content is stored
//     for all of them, in the datacenter that answers now, and it is younger than half the
//     in-flight window (store has the rules about ids that are older);
//   - or else makes a new id, when each row of unknown outcome was either found, and counts, or
//     removed, which wins over its being written late. Under an id of which rows were removed
//     nothing is written any more, and nothing that is found counts.
//
// What only another datacenter acknowledged than the one that answers now may be missing here for
// ever. Such content is as good as not stored, and such rows are removed like those of unknown
// outcome; but recipients whose sender has been told of a success are skipped. If the datacenter
// changes during a trial, the outcome of the trial is unknown.
//
// An attempt is used once, for each of its recipients; who sends the same twice on purpose has
// sent two messages. Where several servers have one store, they share the ledger through it:
// each reads what is new every Config.LedgerPoll, looks whether an attempt is still there and
// removes it before using it, and a sender hears of a failure when the others know of it.
//
// Copies too many are still possible when a server crashes between rows and reply, when the
// sender tries again before the first trial has ended, from another network, after
// Config.LedgerKeep, or after a lost reply at another server within LedgerPoll; when an id
// that is too old was stored unknown and removed by its owner; and, after going on through another
// datacenter, if its owner had fetched it, or if its entry has not come there and the datacenter
// that has the entry cannot be asked. None of it loses a message.
//
// # Concurrency
//
// A Deliverer is safe for concurrent use; an Incoming belongs to one session.
package delivery
