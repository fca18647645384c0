// Package visit notes the visits of users beside their sessions: last logins, and messages retrieved. The
// POP3 server tells a Keeper, and a store keeps the notes. admin and task read the notes from the store.
//
// # Invariants
//
//   - Neither a login nor the end of a session waits for a note.
//   - Memory is bounded. A store that is slower than the visits costs notes, which are counted
//     (popelago_visit_notes_total), never the time of a session.
//   - A lost note of a retrieval keeps a message longer. A lost note of a login lets the last login look
//     older than it is.
//
// A Keeper is safe for concurrent use. Close writes the waiting notes, within a time.
package visit
