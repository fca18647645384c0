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
	most   uint64 // octets of the heap at which garbage is collected
}

// mostGarbage is the count of octets after which garbage is collected. A process that uses less memory finds more of it in
// the caches of the processor; a much lower count collects too often.
const mostGarbage = 64 << 20

func newTurns(log io.Writer) *turns {
	return &turns{hash: fnv.New64a(), log: log, sample: []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}, most: mostGarbage}
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
	if t.count++; t.count%500 == 0 && t.heap() > t.most {
		runtime.GC()
		t.most = mostGarbage + 2*t.heap()
	}
}

// heap returns the octets of the objects in the heap.
func (t *turns) heap() uint64 {
	metrics.Read(t.sample)
	return t.sample[0].Value.Uint64()
}
