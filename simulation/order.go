package simulation

import (
	"encoding/binary"
	"hash"
	"hash/fnv"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// Goroutines that begin statements at the same moment run in an order that nobody decides. So each statement waits
// for a few microseconds that depend on the statement alone, and statements reach the cluster in an order that is
// the same in every run.

// orderSpan is the longest wait of a statement, exclusive.
const orderSpan = 20 * time.Microsecond

// orderOf returns the wait of a statement of a server.
func orderOf(server string, st *driver.Statement) time.Duration {
	h := newMix()
	h.text(server)
	h.text(st.CQL)
	h.text(st.Node)
	h.number(uint64(st.Consistency))
	h.bytes(st.Page)
	h.values(st.Values)
	for _, values := range st.Batch {
		h.values(values)
	}
	return time.Duration(h.Sum64() % uint64(orderSpan))
}

// mix is a hash of values that follow each other.
type mix struct{ hash.Hash64 }

func newMix() mix { return mix{fnv.New64a()} }

func (h mix) bytes(b []byte) {
	h.Write(b)
	h.number(uint64(len(b)))
}

func (h mix) text(s string) { h.bytes([]byte(s)) }

func (h mix) number(n uint64) { h.Write(binary.LittleEndian.AppendUint64(nil, n)) }

// values adds values of the types that keys have; other values tell statements of the same key apart rarely.
func (h mix) values(values []any) {
	for _, v := range values {
		switch v := v.(type) {
		case gocql.UUID:
			h.bytes(v[:])
		case []gocql.UUID:
			var sum uint64 // in any order: a map may have listed them
			for _, id := range v {
				one := newMix()
				one.bytes(id[:])
				sum += one.Sum64()
			}
			h.number(sum)
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
