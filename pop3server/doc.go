// Package pop3server serves maildrops over POP3. It reads commands, keeps the state of the
// session and writes responses; who may log in is decided by package account, and what is in
// a mailbox and what removing means by package maildrop.
//
//	TCP -> wire.Conn -> session: USER PASS AUTH   -> account.SignIn -> maildrop.Open
//	                             STAT LIST UIDL   -> the list frozen at login
//	                             RETR TOP         -> maildrop.Read, streamed to the connection
//	                             DELE RSET        -> marks in the session
//	                             QUIT             -> maildrop.Commit, then the response
//
// # Invariants
//
//   - Only QUIT in TRANSACTION state removes anything. A session that ends in any other way
//     (the connection drops, a timeout, a limit, shutdown) removes nothing (RFC 1939 section
//     6). QUIT answers +OK only after the removal is durable.
//   - The octets that RETR sends are exactly the size that LIST told (RFC 1939 section 11).
//     If they cannot be had, RETR is -ERR; if that shows midway, the connection is reset
//     without a final dot.
//   - A storage fault is [SYS/TEMP] or [SYS/PERM], never [AUTH] and never an empty maildrop.
//   - Responses are fixed texts, numbers and unique-ids: nothing a client sent comes back.
//   - No message is held whole: memory for a session is its list (about 32 octets for each
//     message, which the sessions of a maildrop share) and two buffers of 32 KiB while it is
//     busy.
//
// # Specifications
//
//   - RFC 1939: all, but no APOP (it needs clear-text passwords on the server) and no
//     exclusive lock (section 4; see package maildrop for why)
//   - RFC 2449: CAPA (section 5), the capabilities of section 6, response codes (section 8)
//   - RFC 2595 section 4: STLS
//   - RFC 3206: SYS and AUTH response codes
//   - RFC 5034 with RFC 4616: AUTH PLAIN; LOGIN for old clients; AUTH alone lists both
//   - RFC 6856: UTF8 and LANG; messages are never downgraded
//   - RFC 8314 section 3: implicit TLS; section 4.1: no clear-text login without TLS
//
// # Concurrency
//
// A Server is safe for concurrent use. Each session runs in a goroutine of its own.
package pop3server
