package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"popelago/mail"
)

// Fingerprint identifies a message by the octets repeated by its sender: a SHA-256 over
//
//	4 octets    length of the client's network, big endian
//	0, 4 or 16  the client's network, see mail.Received.Network
//	4 octets    length of the reverse-path
//	n octets    reverse-path
//	the rest    the text, octet for octet as received
//
// Recipients are no part of a fingerprint: by LMTP a sender repeats a message only to the failed
// recipients.
type Fingerprint [sha256.Size]byte

// Hash computes the fingerprint of a message whose text arrives in pieces.
type Hash struct{ h hash.Hash }

// NewHash starts the fingerprint of a message with an envelope.
func NewHash(e mail.Envelope) Hash {
	h := Hash{sha256.New()}
	b := appendPart(make([]byte, 0, 128), e.Received.Network())
	h.Add(appendPart(b, []byte(e.ReversePath)))
	return h
}

// Add adds octets of the text.
func (h Hash) Add(p []byte) { h.h.Write(p) }

// Sum returns the fingerprint of the text so far.
func (h Hash) Sum() (f Fingerprint) {
	h.h.Sum(f[:0])
	return f
}

func appendPart(b, part []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
	return append(b, part...)
}
