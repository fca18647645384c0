// Package ledger recognizes repeated deliveries: a repetition adds the missing copies of a message
// and no second copy. Package delivery calls ledger, and ledger calls store. DESIGN.md explains the
// rules, and lists the cases in which second copies remain possible.
//
//	Recall       before a message is stored: which rows are due, and under which id?
//	Record       after the message is stored: the knowledge for a repetition
//	ReplyLost    the sender may not know of its success
//	Start, Close the exchange of attempts between servers, through the store
//
// An attempt (store.Attempt) is the ledger's entry of one delivery: its fingerprint, its id, and the
// outcome for each recipient.
//
// # Invariants
//
//   - An acknowledged row is never removed.
//   - A delivery without fault needs no statement. The ledger enters an attempt only if a row is
//     stored, or may be stored, without the sender's knowledge.
//   - One delivery uses an attempt. The server removes the attempt from the store first.
//   - After the first removal of a row, tried or done, nothing more is written under the id, and no row
//     found later under the id counts.
//   - A row is written again exactly as before, with the recipient of the first write.
//   - No message gets a new id while a row of unknown outcome may still become a copy.
//
// # Concurrency
//
// A Ledger is safe for concurrent use. Start and Close belong to one goroutine. A Receipt belongs to
// one session.
package ledger
