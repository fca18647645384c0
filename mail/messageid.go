package mail

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"
)

// MessageID names one stored message: a version 1 (time-based) UUID of RFC 9562 section 5.1.
//
// A MessageID is chosen once per SMTP or LMTP transaction, after the whole text and just before the
// content is stored. All recipients of the transaction share the id. Choosing an id needs no
// coordination: see IDSource. The zero value means "none".
type MessageID [16]byte

// gregorianOffset is the count of 100 ns intervals from 1582-10-15 to 1970-01-01.
const gregorianOffset = 0x01B21DD213814000

// ErrBadMessageID: a text is not a time-based UUID.
var ErrBadMessageID = errors.New("not a time-based UUID")

func messageIDFrom(ticks uint64, clockSeq uint16, node [6]byte) MessageID {
	var id MessageID
	binary.BigEndian.PutUint32(id[0:4], uint32(ticks))
	binary.BigEndian.PutUint16(id[4:6], uint16(ticks>>32))
	binary.BigEndian.PutUint16(id[6:8], uint16(ticks>>48)&0x0FFF|0x1000)
	binary.BigEndian.PutUint16(id[8:10], clockSeq&0x3FFF|0x8000)
	copy(id[10:], node[:])
	return id
}

func ticksOf(t time.Time) uint64 {
	return uint64(t.Unix()*1e7+int64(t.Nanosecond())/100) + gregorianOffset
}

func (id MessageID) ticks() uint64 {
	return uint64(binary.BigEndian.Uint32(id[0:4])) |
		uint64(binary.BigEndian.Uint16(id[4:6]))<<32 |
		uint64(binary.BigEndian.Uint16(id[6:8])&0x0FFF)<<48
}

// Time is the time in id, in steps of 100 ns, in UTC.
func (id MessageID) Time() time.Time {
	t := int64(id.ticks()) - gregorianOffset
	sec, rest := t/1e7, t%1e7
	if rest < 0 {
		sec, rest = sec-1, rest+1e7
	}
	return time.Unix(sec, rest*100).UTC()
}

// Micros is the time in id in microseconds since 1970: the write timestamp of all rows of the message.
func (id MessageID) Micros() int64 { return id.Time().UnixMicro() }

// IsZero reports whether id names no message.
func (id MessageID) IsZero() bool { return id == MessageID{} }

// SortKey is a form of id whose byte order is the order of the ids: by time, then by the remaining
// bytes as signed numbers. Apache Cassandra has the same order for a timeuuid, and every engine lists
// a mailbox in the order of SortKey.
//
//	8 octets  60-bit time, big endian
//	8 octets  clock sequence and node, each with its top bit flipped
func (id MessageID) SortKey() [16]byte {
	var k [16]byte
	binary.BigEndian.PutUint64(k[:8], id.ticks())
	for i := 8; i < 16; i++ {
		k[i] = id[i] ^ 0x80
	}
	return k
}

// MessageIDFromSortKey undoes SortKey.
func MessageIDFromSortKey(k [16]byte) MessageID {
	var node [6]byte
	for i := range node {
		node[i] = k[10+i] ^ 0x80
	}
	clockSeq := uint16(k[8]^0x80)<<8 | uint16(k[9]^0x80)
	return messageIDFrom(binary.BigEndian.Uint64(k[:8]), clockSeq, node)
}

// Sibling returns id with the bits of n, less than 4, reversed in the last octet.
// So the Sibling of a Sibling is id. The zero id has the siblings of the first moment of UUIDs.
func (id MessageID) Sibling(n byte) MessageID {
	if id.IsZero() {
		id = messageIDFrom(0, 0, [6]byte{})
	}
	id[15] ^= n & 3
	return id
}

// Compare orders ids as a mailbox lists them: -1, 0 or +1. The zero id comes first.
func (id MessageID) Compare(other MessageID) int {
	switch {
	case id == other:
		return 0
	case id.IsZero():
		return -1
	case other.IsZero():
		return +1
	}
	a, b := id.SortKey(), other.SortKey()
	return bytes.Compare(a[:], b[:])
}

// String is the 36-character form of RFC 9562 section 4.
func (id MessageID) String() string { return uuidString(id) }

// UIDL is the unique-id of a message that has no unique-id of its own: 32 hexadecimal digits. UIDL
// discloses nothing about the host, whose node id is random for each process.
func (id MessageID) UIDL() UIDL { return UIDL(hex.EncodeToString(id[:])) }

// ParseMessageID reads the 36-character form of a version 1 UUID. Errors: ErrBadMessageID.
func ParseMessageID(s string) (MessageID, error) {
	b, err := parseUUID(s)
	if err != nil || b[6]>>4 != 1 || b[8]>>6 != 2 {
		return MessageID{}, fmt.Errorf("%w: %q", ErrBadMessageID, s)
	}
	return MessageID(b), nil
}

// MinMessageID is the smallest id with the time t: a lower bound for slices of a mailbox. The last
// eight octets are 0x80, the smallest signed octet.
func MinMessageID(t time.Time) MessageID {
	return messageIDFrom(ticksOf(t), 0x0080, [6]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80})
}

// MaxIDAhead limits the lead of a new id over the clock. Ids of an IDSource are ahead of the clock when
// many ids are made at once, and after the clock was set back a little.
const MaxIDAhead = time.Minute

// IDSource makes MessageIDs for one process. The ids strictly increase in time, even if the clock
// stops or goes back by less than MaxIDAhead. The node id is random and marked as random (the
// multicast bit of RFC 9562 section 6.10), and never a hardware address. The clock sequence is random
// for every id, so that two clones of a running machine make different ids.
//
// If the clock goes back further, the ids go back too. The source then chooses another random node
// id, so that no id is made twice.
//
// The source trusts its clock; store.NextID checks the clock first. Safe for concurrent use. The zero
// value is not usable: see NewIDSource.
type IDSource struct {
	now func() time.Time

	mu   sync.Mutex
	last uint64 // ticks of the last id
	node [6]byte
}

// NewIDSource makes a source with the clock now (nil means time.Now).
func NewIDSource(now func() time.Time) *IDSource {
	if now == nil {
		now = time.Now
	}
	return &IDSource{now: now, node: randomNode()}
}

func randomNode() (node [6]byte) {
	rand.Read(node[:])
	node[0] |= 0x01
	return node
}

// Next returns a fresh id.
func (s *IDSource) Next() MessageID {
	var seq [2]byte
	rand.Read(seq[:])
	s.mu.Lock()
	defer s.mu.Unlock()
	ticks := ticksOf(s.now())
	if s.last >= ticks+uint64(MaxIDAhead/100) {
		s.node = randomNode()
	} else {
		ticks = max(ticks, s.last+1)
	}
	s.last = ticks
	return messageIDFrom(ticks, binary.BigEndian.Uint16(seq[:]), s.node)
}
