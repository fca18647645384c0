package cassandra

import "sync"

// gate counts the work in progress, admits no more after close, and lets close wait for the rest. The zero value
// is open. Safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{} // made by close, closed when the last work has left
}

// enter begins a piece of work, unless the gate is closed; leave must follow if enter returns true.
func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.inside++
	return true
}

// leave ends a piece of work.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close admits no more work, and waits for the work in progress. Only the first call waits.
func (g *gate) close() {
	g.mu.Lock()
	var empty chan struct{}
	if !g.closed && g.inside > 0 {
		empty = make(chan struct{})
		g.empty = empty
	}
	g.closed = true
	g.mu.Unlock()
	if empty != nil {
		<-empty
	}
}

// isClosed reports whether close was called.
func (g *gate) isClosed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}
