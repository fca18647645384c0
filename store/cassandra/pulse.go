package cassandra

import (
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// pulse tells servers that are alive from rows that outlive their server. The lifetime of a row counts by the clock
// of the node that took the heartbeat: by a clock that is a day ahead the row stays for a day. So a server is alive
// only while its row changes. Safe for concurrent use.
type pulse struct {
	ttl time.Duration // lifetime of a heartbeat

	mu   sync.Mutex
	last map[gocql.UUID]pulseBeat
}

// pulseBeat is the newest write of a row, and the moment at which it was read first.
type pulseBeat struct {
	written int64
	at      time.Time
	seen    time.Time // the last reading
}

// read notes the row of a server as asked for at a moment. It returns the moment at which the server is no longer
// alive without a further heartbeat, and whether the server is alive: its row changed within the lifetime of a
// heartbeat. A row that is new to this server counts as changed.
func (p *pulse) read(row serverRow, asked time.Time) (until time.Time, alive bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[gocql.UUID]pulseBeat{}
	}
	beat, known := p.last[row.id]
	if written := valueOf(row.written); !known || written != beat.written {
		beat = pulseBeat{written: written, at: asked}
	}
	beat.seen = asked
	p.last[row.id] = beat
	until = beat.at.Add(p.ttl)
	if expires := asked.Add(time.Duration(valueOf(row.left)) * time.Second); expires.Before(until) {
		return expires, true
	}
	return until, !asked.After(until)
}

// forget drops the rows that a reading of all rows, asked for at a moment, did not have.
func (p *pulse) forget(asked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, beat := range p.last {
		if beat.seen.Before(asked) {
			delete(p.last, id)
		}
	}
}

// valueOf returns the value that a pointer leads to; zero for nil.
func valueOf[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}
