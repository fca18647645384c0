package cassandra

import (
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// TestPulse: a server is alive while its row changes, however long the row stays.
func TestPulse(t *testing.T) {
	p := pulse{ttl: time.Minute}
	now := time.Now()
	id := gocql.UUID{1}
	read := func(after time.Duration, written int64) bool {
		left := int(24 * time.Hour / time.Second) // by a node whose clock is a day ahead
		until, alive := p.read(serverRow{id: id, written: &written, left: &left}, now.Add(after))
		if alive && until.Sub(now.Add(after)) > time.Minute {
			t.Errorf("alive until %v later", until.Sub(now.Add(after)))
		}
		return alive
	}
	for i, step := range []struct {
		after   time.Duration
		written int64
		want    bool
	}{
		{0, 1, true},
		{time.Minute, 1, true},
		{61 * time.Second, 1, false},
		{24 * time.Hour, 1, false},
		{24*time.Hour + time.Second, 2, true}, // only its heartbeats were late
		{24*time.Hour + 2*time.Minute, 2, false},
	} {
		if got := read(step.after, step.written); got != step.want {
			t.Errorf("step %d: alive %v, want %v", i, got, step.want)
		}
	}
	p.forget(now.Add(25 * time.Hour))
	if len(p.last) != 0 {
		t.Error("a row that is gone is remembered")
	}
	if !read(26*time.Hour, 2) {
		t.Error("a row that is new is not alive")
	}
}
