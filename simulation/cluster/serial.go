package cluster

import (
	"cmp"
	"encoding/binary"
	"hash"
	"hash/fnv"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// Goroutines that begin statements at the same moment run in an order that nobody decides, and so do goroutines that
// get answers at the same moment. With Config.Serial each statement waits until the moment is over. Then the agenda
// sorts the statements by their texts and values, and lets one through, or answers one, each at a moment of its own:
// what a goroutine does between two statements runs while no other goroutine runs, as a rule.

// turn is a statement that waits.
type turn struct {
	at     int64 // when it began
	key    uint64
	server string
	st     *driver.Statement
	let    chan struct{} // closed when the statement may go on
}

// answered is a request with its answer.
type answered struct {
	request *request
	reply   reply
}

// awaitTurn returns when a statement of a server has its turn. The lock is not held.
func (c *Cluster) awaitTurn(server string, st *driver.Statement) {
	if !c.config.Serial {
		return
	}
	t := &turn{key: keyOf(server, st), server: server, st: st, let: make(chan struct{})}
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	t.at = c.now()
	c.turns = append(c.turns, t)
	c.stir(t.at + 1)
	c.mu.Unlock()
	<-t.let
}

// answer gives a request its answer, at a moment of its own.
func (c *Cluster) answer(r *request, got reply) {
	if !c.config.Serial || c.over {
		r.done <- got
		return
	}
	c.answers = append(c.answers, answered{r, got})
	c.stir(c.now() + 1)
}

// wakeOne lets one statement through, or answers one, that began before this moment. It reports whether it did.
func (c *Cluster) wakeOne(now int64) bool {
	if len(c.answers) > 0 {
		a := c.answers[0]
		c.answers = slices.Delete(c.answers, 0, 1)
		a.request.done <- a.reply
		return true
	}
	if len(c.turns) == 0 {
		return false
	}
	first := slices.MinFunc(c.turns, func(a, b *turn) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.key, b.key)) })
	if first.at >= now {
		return false
	}
	c.turns = slices.Delete(c.turns, slices.Index(c.turns, first), slices.Index(c.turns, first)+1)
	if c.config.Turn != nil {
		c.config.Turn(first.server, first.st, first.key)
	}
	close(first.let)
	return true
}

// wakeAll lets all go on: the cluster ends.
func (c *Cluster) wakeAll() {
	c.over = true
	for _, a := range c.answers {
		a.request.done <- a.reply
	}
	for _, t := range c.turns {
		close(t.let)
	}
	c.answers, c.turns = nil, nil
}

// keyOf returns a number that depends on a statement of a server alone.
func keyOf(server string, st *driver.Statement) uint64 {
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
	return h.Sum64()
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
