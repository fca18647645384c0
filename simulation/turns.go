package simulation

import (
	"encoding/binary"
	"fmt"
	"hash"
	"hash/fnv"
	"io"
	"runtime"
	"runtime/metrics"
	"time"

	"popelago/store/cassandra/driver"
)

// turns notes the statements of all servers in the order in which they reach the cluster, and collects garbage in
// between: a collection while several goroutines run would change their order.
type turns struct {
	hash   hash.Hash64 // of all statements, and of when they had their turn
	log    io.Writer   // a line for each statement; nil: none
	count  int
	sample []metrics.Sample
}

// mostGarbage is the count of octets after which garbage is collected.
const mostGarbage = 256 << 20

func newTurns(log io.Writer) *turns {
	return &turns{hash: fnv.New64a(), log: log, sample: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}}
}

// note notes a statement. Nothing else runs.
func (t *turns) note(server string, st *driver.Statement, key uint64) {
	now := time.Now()
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], uint64(now.UnixNano()))
	binary.LittleEndian.PutUint64(b[8:], key)
	t.hash.Write(b[:])
	if t.log != nil {
		fmt.Fprintf(t.log, "%s %s %016x %s\n", now.Format("02 15:04:05.000000000"), server, key, st.CQL)
	}
	if t.count++; t.count%500 == 0 {
		if metrics.Read(t.sample); t.sample[0].Value.Uint64() > mostGarbage {
			runtime.GC()
		}
	}
}
