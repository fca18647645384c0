package mail

// UIDL is a POP3 unique-id: 1 to 255 characters from 0x21 to 0x7E, never reused in a mailbox
// (RFC 1939 section 7).
type UIDL string

// maxUIDL is the longest unique-id in octets that is sent to clients. RFC 1939 section 7 has 70, and
// MessageID.UIDL is shorter. Other servers have given out longer unique-ids, which clients know and
// which must not change after an import.
const maxUIDL = 255

// Valid reports whether u may be sent to a POP3 client.
func (u UIDL) Valid() bool {
	if len(u) < 1 || len(u) > maxUIDL {
		return false
	}
	for i := range len(u) {
		if u[i] < 0x21 || u[i] > 0x7E {
			return false
		}
	}
	return true
}

// Message is a row of a mailbox: the entry of a stored message. A row without size is no entry.
type Message struct {
	// ID names the message and its content, and orders the mailbox.
	ID MessageID
	// Size is the count of octets that RETR sends: Header and content, line ends as CRLF,
	// without dot-stuffing and the final dot (RFC 1939 section 11).
	Size int64
	// Recipient is the final address, for the Delivered-To line: the address that RCPT named, or the
	// address that an alias, a group or a rule of the domain leads to.
	Recipient string
	// Original is the address that RCPT named, for the X-Original-To line. Empty: no such line.
	Original string
	// UIDL is the unique-id of a message that was imported or restored; empty means ID.UIDL().
	UIDL UIDL
	// Origin is the datacenter that accepted the message; empty on a single machine.
	Origin string
}

// Header returns the header lines that final delivery adds in front of the stored content: DeliveryHeader, and
// X-Original-To if the message has an Original.
//
//	X-Original-To: sales@example.test\r\n
func (m Message) Header(reversePath string) string {
	header := DeliveryHeader(reversePath, m.Recipient)
	if m.Original != "" {
		header += "X-Original-To: " + m.Original + "\r\n"
	}
	return header
}

// UniqueID is the unique-id that UIDL lists for m.
func (m Message) UniqueID() UIDL {
	if m.UIDL != "" {
		return m.UIDL
	}
	return m.ID.UIDL()
}
