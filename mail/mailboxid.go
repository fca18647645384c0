package mail

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
)

// MailboxID names the stored collection of one user's messages: a version 5 (name-based)
// UUID of RFC 9562 section 5.5. The zero value means "none".
type MailboxID [16]byte

// mailboxNamespace is the name space of mailbox ids, which must never change.
var mailboxNamespace = [16]byte{
	0x5f, 0x0c, 0x1e, 0x52, 0x8a, 0x47, 0x4d, 0x0b, 0x9d, 0x3a, 0x70, 0x6f, 0x70, 0x65, 0x6c, 0x61,
}

// DeriveMailboxID names the mailbox of one generation of an address. generation is the id of the
// removal before the account; zero for the first account of the address. Two datacenters that create
// the same account at once derive the same id without communication, and no account ever reads the
// mail of an earlier owner.
//
// The hashed name is the canonical address, a zero octet and the 16 octets of generation.
func DeriveMailboxID(a Address, generation MessageID) MailboxID {
	h := sha1.New()
	h.Write(mailboxNamespace[:])
	h.Write([]byte(a.Canonical().String()))
	h.Write([]byte{0})
	h.Write(generation[:])
	var id MailboxID
	copy(id[:], h.Sum(nil))
	id[6] = id[6]&0x0F | 0x50
	id[8] = id[8]&0x3F | 0x80
	return id
}

// IsZero reports whether id names no mailbox.
func (id MailboxID) IsZero() bool { return id == MailboxID{} }

// String is the 36-character form of RFC 9562 section 4.
func (id MailboxID) String() string { return uuidString(id) }

// ParseMailboxID reads the 36-character form.
func ParseMailboxID(s string) (MailboxID, error) {
	b, err := parseUUID(s)
	if err != nil {
		return MailboxID{}, fmt.Errorf("not a mailbox id: %q", s)
	}
	return MailboxID(b), nil
}

func uuidString(b [16]byte) string {
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	s[8] = '-'
	hex.Encode(s[9:13], b[4:6])
	s[13] = '-'
	hex.Encode(s[14:18], b[6:8])
	s[18] = '-'
	hex.Encode(s[19:23], b[8:10])
	s[23] = '-'
	hex.Encode(s[24:36], b[10:16])
	return string(s[:])
}

func parseUUID(s string) (b [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, fmt.Errorf("not a UUID: %q", s)
	}
	h := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	_, err = hex.Decode(b[:], []byte(h))
	return b, err
}
