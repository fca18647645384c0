package mail

import (
	"net/netip"
	"time"
)

// Envelope is what MAIL and RCPT said (RFC 5321 section 2.3.1), and how it came in.
type Envelope struct {
	// ReversePath is the sender as a path without < and >; empty for the null reverse-path.
	ReversePath string
	// Recipients are the accepted RCPT commands, in order. One mailbox may occur twice.
	Recipients []Recipient
	// SingleReply says that the sender gets one reply for all recipients, as by SMTP: it takes a
	// failure of one for a failure of all.
	SingleReply bool
	// NormalizeLF says that a bare LF in the text ends a line, and is stored as CRLF. Without it a
	// text with a bare LF is refused.
	NormalizeLF bool
	// Received says how the message arrived, for the Received line.
	Received Received
}

// Recipient is one accepted RCPT: the address as given and the mailbox it leads to.
type Recipient struct {
	Address Address
	Mailbox MailboxID
	// Durability is what storing for this recipient has to reach.
	Durability Durability
	// Bulk is since when the mailbox is bulk, see store.Entry; zero: it is not.
	Bulk time.Time
}

// Received holds what the Received line tells (RFC 5321 section 4.4).
type Received struct {
	// Helo is the argument of EHLO, HELO or LHLO.
	Helo string
	// Remote is the client's address; the zero value when it has none (a unix socket).
	Remote netip.Addr
	// By is this host's name.
	By string
	// ID names the transaction on this host: the session id and a count. It is not the
	// MessageID, which is chosen only when all of the text is there.
	ID string
	// With is the protocol keyword: SMTP, ESMTP, ESMTPS, LMTP, LMTPS, UTF8SMTP...
	// (RFC 3848, RFC 6531 section 4.3).
	With string
	// TLS describes the TLS version and cipher suite, empty without TLS.
	TLS string
	// Time is when the message arrived.
	Time time.Time
}
