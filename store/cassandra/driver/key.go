package driver

import gocql "github.com/apache/cassandra-gocql-driver/v2"

// Key returns a number that depends on the text and the values of a statement, and on from, the name of its sender.
// Statements that begin at the same moment are told apart by their keys.
func (s *Statement) Key(from string) uint64 {
	h := newMix()
	h.text(from)
	h.text(s.CQL)
	h.text(s.Node)
	h.number(uint64(s.Consistency))
	h.bytes(s.Page)
	h.values(s.Values)
	for _, values := range s.Batch {
		h.values(values)
		h.number(uint64(len(values)))
	}
	return uint64(h)
}

// mix is a hash of values that follow each other, by FNV-1a.
type mix uint64

func newMix() mix { return 14695981039346656037 }

// prime is the prime of FNV, followed by its powers.
const (
	prime  = 1099511628211
	prime2 = prime * prime % (1 << 64)
	prime4 = prime2 * prime2 % (1 << 64)
	prime8 = prime4 * prime4 % (1 << 64)
)

func (h *mix) octet(o byte) { *h = (*h ^ mix(o)) * prime }

func (h *mix) bytes(b []byte) {
	sum := *h
	for _, o := range b {
		sum.octet(o)
	}
	*h = sum
	h.number(uint64(len(b)))
}

func (h *mix) text(s string) {
	sum := *h
	for i := range len(s) {
		sum.octet(s[i])
	}
	*h = sum
	h.number(uint64(len(s)))
}

func (h *mix) number(n uint64) {
	if n < 1<<8 { // seven of the octets are zero
		*h = (*h ^ mix(n)) * prime8
		return
	}
	for range 8 {
		h.octet(byte(n))
		n >>= 8
	}
}

// values adds values of the types that keys have; other values tell statements of the same key apart rarely.
func (h *mix) values(values []any) {
	for _, v := range values {
		switch v := v.(type) {
		case gocql.UUID:
			h.bytes(v[:])
		case []gocql.UUID:
			var sum mix // in any order: a map may have listed them
			for _, id := range v {
				one := newMix()
				one.bytes(id[:])
				sum += one
			}
			h.number(uint64(sum))
		case string:
			h.text(v)
		case []byte:
			h.bytes(v[:min(len(v), 64)])
		case int:
			h.number(uint64(v))
		case int64:
			h.number(uint64(v))
		default:
			h.number(1)
		}
	}
}
