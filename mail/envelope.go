package mail

import (
	"net/netip"
	"time"
)

// Envelope holds the arguments of MAIL and RCPT (RFC 5321 section 2.3.1), and the circumstances of the
// transaction.
type Envelope struct {
	// ReversePath is the sender as a path without < and >; empty for the null reverse-path.
	ReversePath string
	// Recipients are the recipients of the accepted RCPT commands, in order. A mailbox may occur twice.
	Recipients []Recipient
	// PerCommand counts the recipients of each accepted RCPT command, in order: an alias or a group
	// leads to several. Nil: each command has one.
	PerCommand []int
	// SingleReply says that the sender gets a single reply for all recipients, as with SMTP: a
	// failure for one recipient makes the sender repeat the message for all recipients.
	SingleReply bool
	// NormalizeLF says that a bare LF in the text ends a line, and is stored as CRLF. False: a text
	// with a bare LF is refused.
	NormalizeLF bool
	// Received describes the arrival of the message, for the Received line.
	Received Received
}

// Commands returns the number of accepted RCPT commands.
func (e Envelope) Commands() int {
	if e.PerCommand == nil {
		return len(e.Recipients)
	}
	return len(e.PerCommand)
}

// EachCommand calls fn with the number of each accepted RCPT command, from 0, and the range of its
// recipients: Recipients[from:to].
func (e Envelope) EachCommand(fn func(command, from, to int)) {
	from := 0
	for i := range e.Commands() {
		to := from + 1
		if e.PerCommand != nil {
			to = from + e.PerCommand[i]
		}
		fn(i, from, to)
		from = to
	}
}

// Recipient is a mailbox behind an accepted RCPT command.
type Recipient struct {
	// Address is the final address, for the Delivered-To line: the address of RCPT, or the address to which
	// an alias, a group, or a rule of the domain leads.
	Address Address
	// Original is the address of RCPT, for the X-Original-To line. Zero: no such line.
	Original Address
	Mailbox  MailboxID
	// Account is the canonical address of the account with the mailbox.
	Account Address
	// Durability is the durability that the recipient's account or domain asks for.
	Durability Durability
	// Limits of mail to the account.
	Limits Limits
	// Bulk is the time from which the mailbox is bulk, see store.Entry; zero: not bulk.
	Bulk time.Time
}

// Named returns the address of RCPT.
func (r Recipient) Named() Address {
	if r.Original.IsZero() {
		return r.Address
	}
	return r.Original
}

// Received holds the parts of the Received line (RFC 5321 section 4.4).
type Received struct {
	// Helo is the argument of EHLO, HELO or LHLO.
	Helo string
	// Remote is the client's address; the zero value for a unix socket.
	Remote netip.Addr
	// By is this host's name.
	By string
	// ID names the transaction on this host: the session id and a count. ID is not the MessageID,
	// which is chosen only after the whole text.
	ID string
	// With is the protocol keyword: SMTP, ESMTP, ESMTPS, LMTP, LMTPS, UTF8SMTP...
	// (RFC 3848, RFC 6531 section 4.3).
	With string
	// TLS describes the TLS version and cipher suite; empty without TLS.
	TLS string
	// Time is the time of arrival.
	Time time.Time
}

// Network returns the network of the client, which the servers of one sender have in common: a /24
// of IPv4 (4 octets) or a /64 of IPv6 (16 octets). It is nil for a client without address.
func (r Received) Network() []byte {
	a := r.Remote.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil { // no address
		return nil
	}
	return p.Addr().AsSlice()
}
