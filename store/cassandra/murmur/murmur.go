// Package murmur computes the tokens of partition keys as Cassandra's Murmur3Partitioner does.
package murmur

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	constantA = 0x87c37b91114253d5
	constantB = 0x4cf5ad432745937f
)

// Token returns the token of a partition key: the first half of MurmurHash3 (x64, 128 bits, seed 0), with
// the octets of the last, incomplete block taken as signed. Cassandra's partitioner has this flaw, and knows no
// smallest token.
func Token(key []byte) int64 {
	var h1, h2 uint64
	rest := key
	for ; len(rest) >= 16; rest = rest[16:] {
		h1 ^= scatter1(binary.LittleEndian.Uint64(rest))
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= scatter2(binary.LittleEndian.Uint64(rest[8:]))
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	if len(rest) > 8 {
		h2 ^= scatter2(signedOctets(rest[8:]))
		rest = rest[:8]
	}
	if len(rest) > 0 {
		h1 ^= scatter1(signedOctets(rest))
	}
	length := uint64(len(key))
	h1, h2 = h1^length, h2^length
	h1 += h2
	h2 += h1
	token := int64(finish(h1) + finish(h2))
	if token == math.MinInt64 {
		return math.MaxInt64
	}
	return token
}

func scatter1(k uint64) uint64 { return bits.RotateLeft64(k*constantA, 31) * constantB }

func scatter2(k uint64) uint64 { return bits.RotateLeft64(k*constantB, 33) * constantA }

// signedOctets combines up to eight octets, each extended with its sign.
func signedOctets(octets []byte) (k uint64) {
	for i, o := range octets {
		k ^= uint64(int64(int8(o))) << (8 * i)
	}
	return k
}

func finish(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
