// Package pop3server serves maildrops over POP3: commands, the state of a session, responses. Package
// account decides logins; package maildrop lists, reads and removes messages; package wire handles
// lines, texts, deadlines, TLS and connections.
//
//	TCP -> wire.Conn -> session: USER PASS AUTH   -> account.SignIn -> maildrop.Open
//	                             STAT LIST UIDL   -> the list frozen at login
//	                             RETR TOP         -> maildrop.Read, streamed to the connection
//	                             DELE RSET        -> marks in the session
//	                             QUIT             -> maildrop.Commit, then the response
//
// # Invariants
//
//   - Only QUIT in TRANSACTION state removes messages. A session that ends in any other way
//     (the connection drops, a timeout, a limit, shutdown) removes no message (RFC 1939 section
//     6). QUIT answers +OK only after the removal is durable.
//   - RETR sends exactly the octets that LIST counts (RFC 1939 section 11). RETR of a message
//     that cannot be read is answered with -ERR; after a fault in the middle of a text the
//     connection is reset without a final dot.
//   - A storage fault is [SYS/TEMP] or [SYS/PERM], never [AUTH] and never an empty maildrop.
//   - Responses are fixed texts, numbers and unique-ids. No response repeats input of the client.
//   - No message is held whole. A session takes the memory of its list (about 32 octets for each
//     message, shared by the sessions of a maildrop) and of two buffers of 32 KiB while a
//     command is in progress.
//
// # Specifications
//
//   - RFC 1939: all but APOP (which needs clear-text passwords on the server) and the
//     exclusive lock (section 4; see package maildrop)
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
//
// # Files
//
// Package smtpserver has the same files for the same jobs: config.go, server.go, session.go (the
// loop), commands.go (the table of commands), reply.go, harmless.go, log.go, metrics.go; then a
// file for each group of commands.
package pop3server
