package delivery

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/netip"

	"popelago/mail"
)

// fingerprint tells by what a repetition is recognized. It is a SHA-256 over
//
//	4 octets    length of the client's network, big endian
//	0, 4 or 16  the client's network: a /24 of IPv4 or a /64 of IPv6, nothing for a unix socket
//	4 octets    length of the reverse-path
//	n octets    reverse-path
//	all others  the text, octet for octet as it was received
//
// The recipients are not in it: by LMTP a sender repeats only those it got no success for.
type fingerprint struct{ h hash.Hash }

func newFingerprint(e mail.Envelope) fingerprint {
	f := fingerprint{sha256.New()}
	b := appendPart(make([]byte, 0, 128), network(e.Received.Remote))
	f.write(appendPart(b, []byte(e.ReversePath)))
	return f
}

// write adds octets of the text.
func (f fingerprint) write(p []byte) { f.h.Write(p) }

func (f fingerprint) sum() (sum [sha256.Size]byte) {
	f.h.Sum(sum[:0])
	return sum
}

func appendPart(b, part []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
	return append(b, part...)
}

// network is what the servers of one sender have in common.
func network(a netip.Addr) []byte {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil { // it has no address
		return nil
	}
	return p.Addr().AsSlice()
}
