package simulation

import (
	"encoding/binary"
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
	var h mix
	h.text(server)
	h.text(st.CQL)
	h.text(st.Node)
	h.number(uint64(st.Consistency))
	h.bytes(st.Page)
	h.values(st.Values)
	for _, values := range st.Batch {
		h.values(values)
	}
	return time.Duration(uint64(h) % uint64(orderSpan))
}

// mix is an FNV-1a hash, without its offset.
type mix uint64

func (h *mix) bytes(b []byte) {
	for _, c := range b {
		*h = (*h ^ mix(c)) * 1099511628211
	}
	h.number(uint64(len(b)))
}

func (h *mix) text(s string) {
	for i := range len(s) {
		*h = (*h ^ mix(s[i])) * 1099511628211
	}
	h.number(uint64(len(s)))
}

func (h *mix) number(n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	for _, c := range b {
		*h = (*h ^ mix(c)) * 1099511628211
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
				var one mix
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
		case int32:
			h.number(uint64(v))
		default:
			h.number(1)
		}
	}
}
